"""Keep results independent of global PyTorch settings: compute in float32 on the CPU, without autocast."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import chain

import torch
from torch import Tensor, nn

from ..errors import ModelError

# Packages whose modules replace floating-point layers by quantised ones.
QUANTISERS = ("torch.ao.", "torchao.", "bitsandbytes.", "optimum.", "quanto.", "torch.quantization.")


@contextmanager
def plain_arithmetic() -> Iterator[None]:
    """Disable autocast, inference mode and default devices other than the CPU.

    Can be used as a decorator too. The grad mode (`torch.no_grad`) is not changed.
    """
    with ExitStack() as stack:
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.autocast("cpu", enabled=False))
        if torch.get_default_device().type != "cpu":  # only if needed, because it makes every operation slower
            stack.enter_context(torch.device("cpu"))
        yield


def check_numbers(model: nn.Module) -> None:
    """Refuse a model that was moved to another precision or device, or quantised.

    Attention weights and attributions are computed in float32 on the CPU, from the weights and activations of the
    model. They would differ in the third digit from those of a forward pass in 16 bits.

    Raises:
        ModelError: if a weight is not an ordinary float32 tensor on the CPU; the message names the method to call.
    """
    modules = [model]
    for module in modules:  # faster than `model.modules()`, which matters because every trace runs this
        modules += [one for one in module._modules.values() if one is not None]
        _check_type(type(module), model)
        for tensor in chain(module._parameters.values(), module._buffers.values()):
            if tensor is not None:
                _check_tensor(tensor, model)


def _check_type(kind: type, model: nn.Module) -> None:
    if f"{kind.__module__}.".startswith(QUANTISERS):
        raise ModelError(
            f"{model.name!r} is quantised (it has a {kind.__name__} of {kind.__module__}), but float32 is required; "
            "load it again."
        )


def _check_tensor(tensor: Tensor, model: nn.Module) -> None:
    if tensor.is_floating_point() and (tensor.dtype is not torch.float32 or tensor.device.type != "cpu"):
        kind, device = str(tensor.dtype).removeprefix("torch."), tensor.device.type
        if device == "meta":
            raise ModelError(f"{model.name!r} is on the meta device, without weights; load it again.")
        call = ".".join(["cpu()"] * (device != "cpu") + ["float()"] * (kind != "float32"))
        raise ModelError(
            f"{model.name!r} is {kind} on {device}, but float32 on the CPU is required; call model.{call} first."
        )
    if tensor.is_inference():
        raise ModelError(f"{model.name!r} was changed inside torch.inference_mode(); load it again outside of it.")
