"""Timing that is robust to other load of the machine, and table rows of results."""

import gc
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Row:
    """Row of the table of results.

    Attributes:
        quantity: name of the quantity.
        measured: result with its unit.
        limit: goal; empty if there is none.
        ok: True if the goal is met; None if there is no goal or no result.
        detail: spread and method.
    """

    quantity: str
    measured: str
    limit: str
    ok: bool | None
    detail: str

    @property
    def verdict(self) -> str:
        """`ok`, `MISSED`, or empty if there is no goal."""
        return {True: "ok", False: "MISSED", None: ""}[self.ok]


def interleaved(
    *actions: Callable[[], object], rounds: int, warm_up: int = 3, clock: Callable[[], float] = time.perf_counter
) -> list[np.ndarray]:
    """Time several actions alternately, A B A B ..., so that other load affects all of them equally.

    Args:
        *actions: functions to time; freeing their results is included in the time.
        rounds: number of timed rounds.
        warm_up: number of untimed rounds before.
        clock: function that returns the time; `time.process_time` counts the work of this process only.

    Returns:
        Times of each action in the order of measurement, seconds [rounds].
    """
    times = [[] for _ in actions]
    with no_garbage_collection():
        for turn in range(-warm_up, rounds):
            for action, series in zip(actions, times, strict=True):
                start = clock()
                action()
                took = clock() - start
                if turn >= 0:
                    series.append(took)
    return [np.array(series) for series in times]


@contextmanager
def no_garbage_collection() -> Iterator[None]:
    """Disable Python's garbage collector, so that it does not affect the times."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def spread(values: Sequence[float], unit: str, factor: float = 1.0) -> str:
    """Format median and quartiles, such as `"1.31 ms (1.28 to 1.40)"`; values are multiplied by `factor` first."""
    low, middle, high = np.percentile(np.asarray(values) * factor, (25, 50, 75))
    digits = max(0, 2 - int(np.floor(np.log10(middle))))
    return f"{middle:.{digits}f} {unit} ({low:.{digits}f} to {high:.{digits}f})"


def ratio_row(quantity: str, ours: np.ndarray, theirs: np.ndarray, names: tuple[str, str], limit: float) -> Row:
    """Return the row of the ratio of two medians that were timed alternately.

    Args:
        quantity: name of the quantity.
        ours: numerator, seconds [rounds].
        theirs: denominator, seconds [rounds].
        names: names of both series.
        limit: largest ratio allowed.
    """
    ratio = float(np.median(ours) / np.median(theirs))
    low, high = np.percentile(ours / theirs, (25, 75))
    least_disturbed = np.percentile(ours, 10) / np.percentile(theirs, 10)  # least affected by other processes
    detail = (
        f"{names[0]} {spread(ours, 'ms', 1e3)}, {names[1]} {spread(theirs, 'ms', 1e3)}; quartiles of the "
        f"ratios of {len(ours)} pairs {low:.3f} to {high:.3f}; ratio of the 10th percentiles {least_disturbed:.3f}"
    )
    return Row(quantity, f"{ratio:.3f} ×", f"≤ {limit:.2f} ×", ratio <= limit, detail)


def as_table(rows: Sequence[Row]) -> str:
    """Format rows as an aligned Markdown table, followed by the details."""
    cells = [("", "quantity", "measured", "goal", "")]
    cells += [(str(i), row.quantity, row.measured, row.limit, row.verdict) for i, row in enumerate(rows, 1)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    lines = ["| " + " | ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)) + " |" for line in cells]
    lines.insert(1, "| " + " | ".join("-" * width for width in widths) + " |")
    return "\n".join([*lines, "", *(f"{i}. {row.detail}." for i, row in enumerate(rows, 1))])
