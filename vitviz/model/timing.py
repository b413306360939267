"""Durations of forward passes, for a program that reports them, such as the app's server."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

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


@contextmanager
def timed(images: int) -> Iterator[None]:
    """Report the duration of a forward pass of this number of images to the observers. Nested calls have no effect."""
    if getattr(_thread, "is_timed", False):
        yield
        return
    _thread.is_timed, began = True, time.perf_counter()
    try:
        yield
    finally:
        _thread.is_timed = False
    for observer in _observers:
        observer(images, time.perf_counter() - began)
