"""Duration of slow work: measured on this model at this size, and said in words."""

from __future__ import annotations

import math
import time
from functools import cache

from ....analysis.attribution.faithfulness import endpoints
from ....trace.trace import Trace
from .. import state
from ..cache import Cache

MOST = 64_000  # bytes of all paces; some hundred


class Paces:
    """Seconds for one pass, as they were last measured, by what is done and with which model; for all threads."""

    def __init__(self, most: int = MOST):
        self._paces = Cache(most)

    def get(self, key: tuple) -> float | None:
        """The pace; None if it was not measured."""
        return self._paces.get(key)

    def note(self, key: tuple, seconds: float, count: int) -> None:
        """Remember how long so many passes took."""
        if seconds > 0 and count > 0:
            self._paces.put(key, seconds / count)


@cache
def paces() -> Paces:
    """The paces that this process has measured."""
    return Paces()


def pace_key(choice: state.Choice, trace: Trace, what: str) -> tuple:
    """Key of a pace, which depends not on the image, but on its number of patches."""
    return what, *choice.key[1:3], trace.grid


def expected(choice: state.Choice, trace: Trace, what: str, count: int, weight: float = 1.0) -> float:
    """Estimate the seconds that some passes will take.

    Args:
        choice: image and model.
        trace: its forward pass.
        what: which kind of pass; its own pace counts as soon as one was measured.
        count: how many.
        weight: what one of them costs against a forward pass, until then.
    """
    pace = paces().get(pace_key(choice, trace, what))
    return count * (weight * _forward(choice, trace) if pace is None else pace)


def _forward(choice: state.Choice, trace: Trace) -> float:
    """Seconds of one forward pass, measured once for each model and number of patches."""
    key = pace_key(choice, trace, "pass")
    found = paces().get(key)
    if found is None:
        with state.one_at_a_time:
            start = time.perf_counter()
            endpoints(trace.model, trace, None, baseline="mean")
            paces().note(key, time.perf_counter() - start, 1)
        found = paces().get(key)
    return found


def queue_position(ahead: int) -> str:
    """That work waits for its turn, and how many pieces of work come first."""
    return f"Waits for its turn: {ahead} before it" if ahead else "Waits for its turn"


def format_duration(seconds: float) -> str:
    """A wait in words, no more exact than it is known: `"about 4 s"`, `"about 25 s"`, `"about 3 min"`."""
    if seconds >= 90:
        return f"about {round(seconds / 60)}\u00a0min"
    step = 1 if seconds <= 10 else 5
    return f"about {max(1, step * math.ceil(seconds / step))}\u00a0s"
