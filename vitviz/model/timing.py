"""Durations of forward passes, for a program that reports them, such as the app's server."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import wraps
from typing import Any

from torch import Tensor, nn

Observer = Callable[[int, float], None]  # number of images and seconds of a forward pass

_observers: list[Observer] = []
_thread = threading.local()  # of a running pass: `is_timed`


def observe(observer: Observer) -> None:
    """Call a function after each forward pass of this process, in the thread of the pass, until the process ends.

    A pass from a later block on, see `vitviz.model.vit.ViT.forward_from`, counts as a forward pass. One that raises an
    exception does not.

    Args:
        observer: function of the number of images in the batch and the duration in seconds.
    """
    _observers.append(observer)


def timed(forward: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Decorate a method that is a forward pass, so that its duration is reported to the observers.

    Its result is a batch. Passes within another pass are not reported.
    """

    @wraps(forward)
    def run(model: nn.Module, *args: Any, **kwargs: Any) -> Tensor:
        if getattr(_thread, "is_timed", False):
            return forward(model, *args, **kwargs)
        _thread.is_timed, began = True, time.perf_counter()
        try:
            output = forward(model, *args, **kwargs)
        finally:
            _thread.is_timed = False
        for observer in _observers:
            observer(len(output), time.perf_counter() - began)
        return output

    return run
