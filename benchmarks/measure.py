"""Timing that a noisy machine does not spoil, and the rows of the table that come of it."""

import gc
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        what: what was measured.
        measured: the result with its unit.
        limit: what it must reach; empty if there is no limit.
        ok: whether it does; None if there is no limit, or if nothing could be measured.
        detail: the spread, and how it was measured.
    """

    what: str
    measured: str
    limit: str
    ok: bool | None
    detail: str

    @property
    def verdict(self) -> str:
        """`ok`, `MISSED`, or nothing where nothing is judged."""
        return {True: "ok", False: "MISSED", None: ""}[self.ok]


def interleaved(*actions: Callable[[], object], rounds: int, warm_up: int = 3) -> list[np.ndarray]:
    """Time several actions in turns, A B A B ..., so that whatever else the machine does slows all of them alike.

    Args:
        *actions: what to time. What they return is thrown away, which is part of the time.
        rounds: how often each is timed.
        warm_up: how many rounds are run before, untimed.

    Returns:
        For each action its times, seconds [rounds], in the order in which they were measured.
    """
    times = [[] for _ in actions]
    with no_garbage_collection():
        for turn in range(-warm_up, rounds):
            for action, kept in zip(actions, times, strict=True):
                start = time.perf_counter()
                action()
                took = time.perf_counter() - start
                if turn >= 0:
                    kept.append(took)
    return [np.array(kept) for kept in times]


@contextmanager
def no_garbage_collection() -> Iterator[None]:
    """Keep Python's garbage collector, which runs when it likes, out of the times."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def spread(values: Sequence[float], unit: str, factor: float = 1.0) -> str:
    """The median and the middle half, such as `"1.31 ms (1.28 to 1.40)"`; values are multiplied by `factor` first."""
    low, middle, high = np.percentile(np.asarray(values) * factor, (25, 50, 75))
    digits = max(0, 2 - int(np.floor(np.log10(middle))))
    return f"{middle:.{digits}f} {unit} ({low:.{digits}f} to {high:.{digits}f})"


def ratio_row(what: str, ours: np.ndarray, theirs: np.ndarray, names: tuple[str, str], limit: float) -> Row:
    """The ratio of the medians of two series that were timed in turns.

    Args:
        what: the row's first column.
        ours: seconds [rounds].
        theirs: seconds [rounds], what `ours` is divided by.
        names: what the two are called.
        limit: the largest ratio that is allowed.
    """
    ratio = float(np.median(ours) / np.median(theirs))
    low, high = np.percentile(ours / theirs, (25, 75))
    without_hooks = np.percentile(ours, 10) / np.percentile(theirs, 10)  # what other processes disturb least
    detail = (
        f"{names[0]} {spread(ours, 'ms', 1e3)}, {names[1]} {spread(theirs, 'ms', 1e3)}; middle half of the "
        f"{len(ours)} pairs' ratios {low:.3f} to {high:.3f}; ratio of the 10th percentiles {without_hooks:.3f}"
    )
    return Row(what, f"{ratio:.3f} ×", f"≤ {limit:.2f} ×", ratio <= limit, detail)


def as_table(rows: Sequence[Row]) -> str:
    """Rows as a Markdown table that is also readable as it is, and below it the details."""
    cells = [("", "what", "measured", "must reach", "")]
    cells += [(str(i), row.what, row.measured, row.limit, row.verdict) for i, row in enumerate(rows, 1)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    lines = ["| " + " | ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)) + " |" for line in cells]
    lines.insert(1, "| " + " | ".join("-" * width for width in widths) + " |")
    return "\n".join([*lines, "", *(f"{i}. {row.detail}." for i, row in enumerate(rows, 1))])
