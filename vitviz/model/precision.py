"""Keep results independent of global PyTorch settings: compute in float32 on the CPU, without autocast."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import chain

import torch
from torch import Tensor, nn

from ..errors import ModelError

# Modules whose layers stand in for those of a model in floating point.
QUANTISERS = ("torch.ao.", "torchao.", "bitsandbytes.", "optimum.", "quanto.", "torch.quantization.")


@contextmanager
def plain_arithmetic() -> Iterator[None]:
    """Compute in the tensors' own precision and on the CPU: no autocast, no inference mode, no other default device.

    It can be used as a decorator too. The grad mode (`torch.no_grad`) is not changed.
    """
    with ExitStack() as stack:
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.autocast("cpu", enabled=False))
        if torch.get_default_device().type != "cpu":  # looked at first, because it makes every operation slower
            stack.enter_context(torch.device("cpu"))
        yield


def check_numbers(model: nn.Module) -> None:
    """Refuse a model that was moved to another precision or device, or quantised.

    Attention weights and attributions are computed in float32 on the CPU, from the weights and activations of the
    model. They would differ from a forward pass in 16 bits in the third digit.

    Raises:
        ModelError: if a weight is not an ordinary float32 tensor on the CPU; the message says which method to call.
    """
    modules = [model]
    for module in modules:  # one walk, past the names that `model.modules()` builds: it is part of every forward pass
        modules += [one for one in module._modules.values() if one is not None]
        _check_type(type(module), model)
        for tensor in chain(module._parameters.values(), module._buffers.values()):
            if tensor is not None:
                _check_tensor(tensor, model)


def _check_type(kind: type, model: nn.Module) -> None:
    if f"{kind.__module__}.".startswith(QUANTISERS):
        raise ModelError(
            f"{model.name!r} is quantised (it has a {kind.__name__} of {kind.__module__}), and everything here is "
            "computed in float32; load it again."
        )


def _check_tensor(tensor: Tensor, model: nn.Module) -> None:
    if tensor.is_floating_point() and (tensor.dtype is not torch.float32 or tensor.device.type != "cpu"):
        kind, device = str(tensor.dtype).removeprefix("torch."), tensor.device.type
        if device == "meta":
            raise ModelError(f"{model.name!r} is on the meta device and has no weights; load it again.")
        call = ".".join(["cpu()"] * (device != "cpu") + ["float()"] * (kind != "float32"))
        raise ModelError(
            f"{model.name!r} is {kind} on {device}, and everything here is computed in float32 on the CPU; call "
            f"model.{call} first."
        )
    if tensor.is_inference():
        raise ModelError(f"{model.name!r} was changed inside torch.inference_mode(); load it again outside of it.")
