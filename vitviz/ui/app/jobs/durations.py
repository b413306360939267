"""Estimated durations of jobs, from measurements on the same model and size."""

from __future__ import annotations

import math
import time
from functools import cache

from .... import zoo
from ....analysis.attribution.faithfulness import endpoints
from ....trace.trace import Trace
from .. import state
from ..cache import Cache

MOST = 64_000  # maximum bytes of all paces, enough for a few hundred


class Paces:
    """Last measured seconds per pass, by kind of work and model. Thread-safe."""

    def __init__(self, most: int = MOST):
        self._paces = Cache(most)

    def get(self, key: tuple) -> float | None:
        """Return the pace; None if it was not measured."""
        return self._paces.get(key)

    def note(self, key: tuple, seconds: float, count: int) -> None:
        """Store the duration of `count` passes."""
        if seconds > 0 and count > 0:
            self._paces.put(key, seconds / count)


@cache
def paces() -> Paces:
    """Return the paces measured by this process."""
    return Paces()


def pace_key(choice: state.Choice, trace: Trace, what: str) -> tuple:
    """Return the key of a pace, which depends on the grid but not on the image or the head of a user."""
    return what, *map(zoo.base_of, choice.key[1:3]), trace.grid


def expected(choice: state.Choice, trace: Trace, what: str, count: int, weight: float = 1.0) -> float:
    """Estimate the seconds for a number of passes.

    Args:
        choice: image and model.
        trace: trace of the choice.
        what: kind of pass, whose measured pace is used if there is one.
        count: number of passes.
        weight: cost of a pass relative to a forward pass, used until a pace was measured.
    """
    pace = paces().get(pace_key(choice, trace, what))
    return count * (weight * _forward(choice, trace) if pace is None else pace)


def _forward(choice: state.Choice, trace: Trace) -> float:
    """Seconds of one forward pass, measured once for each model and number of patches."""
    key = pace_key(choice, trace, "pass")
    seconds = paces().get(key)
    if seconds is None:
        with state.one_at_a_time:
            start = time.perf_counter()
            endpoints(trace.model, trace, None, baseline="mean")
            paces().note(key, time.perf_counter() - start, 1)
        seconds = paces().get(key)
    return seconds


def queue_position(ahead: int) -> str:
    """Format the position in the queue, given by the number of jobs ahead."""
    return f"Waiting in the queue: {ahead} ahead" if ahead else "Waiting in the queue"


def format_duration(seconds: float) -> str:
    """Format an approximate duration: `"about 4 s"`, `"about 25 s"`, `"about 3 min"`."""
    if seconds >= 90:
        return f"about {round(seconds / 60)}\u00a0min"
    step = 1 if seconds <= 10 else 5
    return f"about {max(1, step * math.ceil(seconds / step))}\u00a0s"
