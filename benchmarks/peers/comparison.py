"""One comparison: the same computation in vitviz and in another tool, timed alternately in one process."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..library import MIB, peak_bytes, resident_bytes
from ..measure import interleaved, no_garbage_collection, spread

Arrays = Sequence[np.ndarray]
ROUNDS = (3, 60)  # fewest and most


@dataclass(frozen=True)
class Pair:
    """Two ways to compute the same.

    Attributes:
        quantity: name of the result.
        size: side of the input, pixels.
        peer: name of the other tool and its way.
        ours: computation by vitviz; returns arrays.
        theirs: computation by the other tool; returns arrays of the same shapes.
        same: whether both use the same method, so that results can be compared.
        tolerance: largest difference allowed; above it, times are not compared.
        goal: largest ratio of the times, ours / theirs.
        why: reason for the goal, or for missing it.
    """

    quantity: str
    size: int
    peer: str
    ours: Callable[[], Arrays]
    theirs: Callable[[], Arrays]
    same: bool = True
    tolerance: float = 1e-4
    goal: float = 1.0
    why: str = ""


@dataclass(frozen=True)
class Measured:
    """Result of a comparison.

    Attributes:
        pair: what was compared.
        ours: times of vitviz, seconds [rounds].
        theirs: times of the other tool, seconds [rounds].
        difference: largest absolute difference between the results; None if the methods differ.
        largest: largest absolute value of the other tool's result.
        memory: peak growth of resident memory, ours and theirs, bytes; None where it cannot be measured.
    """

    pair: Pair
    ours: np.ndarray
    theirs: np.ndarray
    difference: float | None
    largest: float
    memory: tuple[int, int] | None

    @property
    def ratio(self) -> float:
        """Ratio of the median times, ours / theirs."""
        return float(np.median(self.ours) / np.median(self.theirs))

    @property
    def is_met(self) -> bool:
        """True if the goal is met."""
        return self.ratio <= self.pair.goal

    def cells(self) -> tuple[str, ...]:
        """Return the cells of this row of the table, without its number."""
        pair = self.pair
        ours, theirs = ("?", "?") if self.memory is None else (f"{bytes / MIB:.0f}" for bytes in self.memory)
        return (
            pair.quantity,
            str(pair.size),
            pair.peer,
            _milliseconds(self.ours),
            _milliseconds(self.theirs),
            f"**{self.ratio:.2f}**",
            f"≤ {pair.goal:.2f}{'' if self.is_met else ', missed'}",
            f"{ours} / {theirs}",
            "another method" if self.difference is None else f"{self.difference:.0e} of {self.largest:.2g}",
        )

    def detail(self) -> str:
        """Return the spread of the times, and the reason for the goal or for missing it."""
        low, high = np.percentile(self.ours / self.theirs, (25, 75))
        spreads = f"vitviz {spread(self.ours, 'ms', 1e3)}, other {spread(self.theirs, 'ms', 1e3)}"
        return f"{spreads}; ratios of {len(self.ours)} pairs {low:.2f} to {high:.2f}. {self.pair.why}".strip()


HEADER = (
    "result",
    "px",
    "other tool",
    "vitviz, ms",
    "other, ms",
    "vitviz / other",
    "goal",
    "memory, MiB",
    "largest difference",
)


def compare(pair: Pair, seconds: float, clock: Callable[[], float] = time.perf_counter) -> Measured:
    """Check that both results agree, then measure memory and times.

    Args:
        pair: what to compare.
        seconds: planned duration of the timing.
        clock: as in `interleaved`.

    Raises:
        RuntimeError: if the results differ by more than the tolerance.
    """
    pair.ours(), pair.theirs()  # the first calls load code and fill caches
    start = time.perf_counter()
    (ours, our_growth), (theirs, their_growth) = peak_growth(pair.ours), peak_growth(pair.theirs)
    took = time.perf_counter() - start
    difference = largest_difference(ours, theirs) if pair.same else None
    largest = max(float(np.abs(array).max()) for array in theirs)
    del ours, theirs
    if difference is not None and difference > pair.tolerance * max(1.0, largest):
        raise RuntimeError(f"the results differ by {difference:.1e}; make them agree before comparing their times.")
    memory = None if our_growth is None else (our_growth, their_growth)
    rounds = int(np.clip(seconds / took, *ROUNDS))
    times = interleaved(pair.ours, pair.theirs, rounds=rounds, warm_up=0, clock=clock)
    return Measured(pair, *times, difference, largest, memory)


def largest_difference(ours: Iterable[np.ndarray], theirs: Iterable[np.ndarray]) -> float:
    """Return the largest absolute difference between two lists of arrays of equal shapes."""
    differences = []
    for one, other in zip(ours, theirs, strict=True):
        if one.shape != other.shape:
            raise RuntimeError(f"the results have shapes {one.shape} and {other.shape}, which must be equal.")
        differences.append(float(np.abs(one - other).max()))
    return max(differences)


def peak_growth(action: Callable[[], Arrays]) -> tuple[Arrays, int | None]:
    """Return a function's result and the largest growth of resident memory while it runs, bytes; None without Linux."""
    peak = Path("/proc/self/clear_refs")
    if not peak.exists():
        return action(), None
    before = resident_bytes()
    peak.write_text("5")  # sets the peak to the present value
    with no_garbage_collection():
        result = action()
    return result, max(0, peak_bytes() - before)


def _milliseconds(times: np.ndarray) -> str:
    middle = float(np.median(times)) * 1e3
    return f"{middle:,.{max(0, 2 - int(np.floor(np.log10(middle))))}f}"


def as_table(results: Sequence[Measured]) -> str:
    """Format results as a Markdown table with numbered details."""
    lines = [("", *HEADER), *((str(i), *result.cells()) for i, result in enumerate(results, 1))]
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    rows = ["| " + " | ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)) + " |" for line in lines]
    rows.insert(1, "| " + " | ".join("-" * width for width in widths) + " |")
    return "\n".join([*rows, "", *(f"{i}. {result.detail()}" for i, result in enumerate(results, 1))])
