"""Keep results independent of global PyTorch settings: no autocast, and the device and dtype of the model's weights.

Traces and results of analyses are float32 on the CPU. Only the passes of a model run on its device, in its dtype.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import chain

import torch
from torch import Tensor, nn

from ..errors import ModelError
from ..errors.arguments import one_of

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16, "float64": torch.float64}
DEVICES = ("cpu", "cuda", "mps")

# Packages whose modules replace floating-point layers by quantised ones.
QUANTISERS = ("torch.ao.", "torchao.", "bitsandbytes.", "optimum.", "quanto.", "torch.quantization.")


@contextmanager
def plain_arithmetic() -> Iterator[None]:
    """Disable autocast, inference mode and default devices other than the CPU, on which traces are.

    Can be used as a decorator too. The grad mode (`torch.no_grad`) is not changed.
    """
    with ExitStack() as stack:
        stack.enter_context(torch.inference_mode(False))
        for device in DEVICES:
            if torch.is_autocast_enabled(device):
                stack.enter_context(torch.autocast(device, enabled=False))
        if torch.get_default_device().type != "cpu":  # only if needed, because it makes every operation slower
            stack.enter_context(torch.device("cpu"))
        yield


def as_input(x: Tensor, model: nn.Module) -> Tensor:
    """Return a tensor on the device and in the dtype of a model; the tensor itself if it is there already."""
    return x.to(next(model.parameters()))


def as_result(x: Tensor) -> Tensor:
    """Return a tensor as float32 on the CPU, with its graph; the tensor itself if it is that already."""
    return x.to("cpu", torch.float32)


def moved(model: nn.Module, device: str | None, dtype: str | None) -> nn.Module:
    """Move a model to a device and convert it to a dtype, in place; None changes nothing.

    Raises:
        ModelError: as `check_place`.
    """
    check_place(device, dtype)
    return model if device is dtype is None else model.to(device=device, dtype=None if dtype is None else DTYPES[dtype])


def check_place(device: str | None, dtype: str | None) -> None:
    """Check a device of this machine, such as `"cuda"` or `"cuda:1"`, and a dtype, such as `"bfloat16"`; or None.

    Raises:
        ModelError: if there is no such device or dtype.
    """
    if dtype is not None:
        one_of(dtype, tuple(DTYPES), "dtype", ModelError)
    if device is not None:
        _check_device(device)


def _check_device(name: str) -> None:
    kind, _, number = name.partition(":") if isinstance(name, str) else ("", "", "")
    counts = devices()
    known = kind in counts and (not number or (number.isdecimal() and int(number) < counts[kind]))
    if not known:
        there = ", ".join(f"{one}:{counts[one] - 1}" if counts[one] > 1 else one for one in counts)
        raise ModelError(f"There is no device {name!r} here; choose one of: {there}.")


def devices() -> dict[str, int]:
    """Return the number of devices of each kind that this machine has, the CPU first."""
    found = {"cpu": 1}
    if torch.cuda.is_available():
        found["cuda"] = torch.cuda.device_count()
    if torch.backends.mps.is_available():
        found["mps"] = 1
    return found


def check_numbers(model: nn.Module) -> None:
    """Refuse a model whose weights differ in dtype or device, are not there, or are quantised.

    Raises:
        ModelError: if the weights are not ordinary floating-point tensors of one dtype on one device; the message says
            what to do.
    """
    modules, kinds = [model], set()
    for module in modules:  # faster than `model.modules()`, which matters because every trace runs this
        modules += [one for one in module._modules.values() if one is not None]
        _check_type(type(module), model)
        for tensor in chain(module._parameters.values(), module._buffers.values()):
            if tensor is not None:
                _check_tensor(tensor, model)
                if tensor.is_floating_point():
                    kinds.add((tensor.dtype, tensor.device))
    if len(kinds) > 1:
        shown = sorted(f"{str(dtype).removeprefix('torch.')} on {device}" for dtype, device in kinds)
        raise ModelError(
            f"{model.name!r} has weights of several kinds ({', '.join(shown)}); convert all, as with "
            "model.to('cpu').float()."
        )


def _check_type(kind: type, model: nn.Module) -> None:
    if f"{kind.__module__}.".startswith(QUANTISERS):
        raise ModelError(
            f"{model.name!r} is quantised (it has a {kind.__name__} of {kind.__module__}), but floating-point weights "
            "are required; load it again."
        )


def _check_tensor(tensor: Tensor, model: nn.Module) -> None:
    if tensor.device.type == "meta":
        raise ModelError(f"{model.name!r} is on the meta device, without weights; load it again.")
    if tensor.is_floating_point() and tensor.dtype not in DTYPES.values():
        kind = str(tensor.dtype).removeprefix("torch.")
        raise ModelError(f"{model.name!r} has weights of {kind}; convert them with model.float().")
    if tensor.is_inference():
        raise ModelError(f"{model.name!r} was changed inside torch.inference_mode(); load it again outside of it.")
