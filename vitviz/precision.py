"""Keep results independent of global PyTorch settings: compute in float32 on the CPU, without autocast."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import chain

import torch
from torch import nn

from .errors import ModelError

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
    quantised = next((one for one in model.modules() if f"{type(one).__module__}.".startswith(QUANTISERS)), None)
    if quantised is not None:
        raise ModelError(
            f"{model.name!r} is quantised (it has a {type(quantised).__name__} of {type(quantised).__module__}), and "
            "everything here is computed in float32; load it again."
        )
    for tensor in chain(model.parameters(), model.buffers()):
        kind, device = str(tensor.dtype).removeprefix("torch."), tensor.device.type
        if tensor.is_floating_point() and (kind, device) != ("float32", "cpu"):
            if device == "meta":
                raise ModelError(f"{model.name!r} is on the meta device and has no weights; load it again.")
            call = ".".join(["cpu()"] * (device != "cpu") + ["float()"] * (kind != "float32"))
            raise ModelError(
                f"{model.name!r} is {kind} on {device}, and everything here is computed in float32 on the CPU; call "
                f"model.{call} first."
            )
        if tensor.is_inference():
            raise ModelError(f"{model.name!r} was changed inside torch.inference_mode(); load it again outside of it.")
