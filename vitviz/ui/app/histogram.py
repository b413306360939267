"""Counts of durations by length, for metrics."""

from __future__ import annotations

import math
import threading
from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate


class Histogram:
    """Histogram of durations. Thread-safe.

    Args:
        *bounds: upper bounds of the buckets in seconds, ascending; the last bucket has none.
    """

    def __init__(self, *bounds: float):
        self._bounds = (*bounds, math.inf)
        self._counts = [0] * len(self._bounds)
        self._seconds = 0.0
        self._lock = threading.Lock()

    def note(self, seconds: float) -> None:
        """Add a duration."""
        with self._lock:
            self._counts[bisect_left(self._bounds, seconds)] += 1
            self._seconds += seconds

    def figures(self) -> tuple[Sequence[tuple[float, int]], float]:
        """Return the number of durations up to each bound, and the sum of all durations in seconds."""
        with self._lock:
            return tuple(zip(self._bounds, accumulate(self._counts), strict=True)), self._seconds
