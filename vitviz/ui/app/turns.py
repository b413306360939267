"""Turns at the processor: one piece of work at a time, and first what a visitor looks for.

A forward pass uses all cores; two at once would only slow each other down. What the first picture of a page needs goes
first, and among visitors the one whose page began to run first. Slow work, such as a sweep, gives way between its
passes and waits until all others have been quiet for a moment: whoever opens a page meanwhile waits for one pass, not
for the sweep, nor for one at each of the steps that a page takes.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from itertools import count
from types import TracebackType

FIRST, SOON, LATER = 0, 1, 2
QUIET = 0.2  # seconds in which nobody else has asked for a turn
PATIENCE = 10.0  # seconds after which slow work has a turn however many others come


class Turns:
    """A lock that the most urgent gets, and of these the one who came first; who has it may take it again."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._numbers = count()
        self._run = threading.local()
        self._waiting: list[tuple[int, int, int]] = []
        self._owner: int | None = None
        self._depth = 0
        self._last = -QUIET  # when a turn ended that was no slow work's

    def __enter__(self) -> None:
        self._take(SOON)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None):
        self._leave()

    def arrive(self) -> None:
        """Begin a run of a page on this thread: whatever it asks for counts as asked for now."""
        self._run.number = next(self._numbers)

    def first(self) -> AbstractContextManager[None]:
        """Wait and keep the turn, before all who want more than the first picture of a page."""
        return self._kept(FIRST)

    def later(self) -> AbstractContextManager[None]:
        """Wait until nobody is there who looks for something, and keep the turn; see `give_way`."""
        return self._kept(LATER)

    def give_way(self) -> None:
        """Let all others go first but slow work, if this thread has a turn with `later`."""
        with self._changed:
            if self._owner != threading.get_ident() or not any(rank < LATER for rank, *_ in self._waiting):
                return
            depth, self._depth = self._depth, 1
        self._leave()
        self._take(LATER)
        self._depth = depth

    def is_mine(self) -> bool:
        """Return True if this thread has the turn."""
        return self._owner == threading.get_ident()

    @contextmanager
    def _kept(self, rank: int) -> Iterator[None]:
        self._take(rank)
        try:
            yield
        finally:
            self._leave()

    def _take(self, rank: int) -> None:
        me = threading.get_ident()
        with self._changed:
            if self._owner == me:
                self._depth += 1
                return
            number, began = next(self._numbers), time.monotonic()
            mine = (rank, getattr(self._run, "number", number) if rank < LATER else number, number)
            self._waiting.append(mine)
            while not (self._owner is None and min(self._waiting) == mine and self._is_quiet(mine)):
                self._changed.wait(QUIET if rank == LATER else None)
                if mine[0] == LATER and time.monotonic() - began > PATIENCE:
                    self._waiting.remove(mine)
                    mine = (FIRST, *mine[1:])
                    self._waiting.append(mine)
            self._waiting.remove(mine)
            self._owner, self._depth, self._rank = me, 1, rank

    def _is_quiet(self, mine: tuple[int, int, int]) -> bool:
        return mine[0] < LATER or time.monotonic() - self._last >= QUIET

    def _leave(self) -> None:
        with self._changed:
            self._depth -= 1
            if self._depth == 0:
                if self._rank < LATER:
                    self._last = time.monotonic()
                self._owner = None
                self._changed.notify_all()


one_at_a_time = Turns()
