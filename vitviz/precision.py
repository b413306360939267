"""The same numbers whatever is in force around a call."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch


@contextmanager
def plain_arithmetic() -> Iterator[None]:
    """Compute in the tensors' own precision and on the CPU: no autocast, no inference mode, no other default device.

    Works as a decorator too. Whether gradients are recorded is left as it is.
    """
    with ExitStack() as stack:
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.autocast("cpu", enabled=False))
        if torch.get_default_device().type != "cpu":  # looked at first, because it makes every operation slower
            stack.enter_context(torch.device("cpu"))
        yield
