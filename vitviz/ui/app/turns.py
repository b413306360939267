"""Turns at the processor: one piece of work at a time, and first what a visitor looks for.

A forward pass uses all cores; two at once would only slow each other down. What the first picture of a page needs goes
first, and among visitors the one whose page began to run first. Slow work, such as a sweep, gives way between its
passes and waits until all others have been quiet for a moment: whoever opens a page meanwhile waits for one pass, not
for the sweep, nor for one at each of the steps that a page takes. A server may let some slow work go on together.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from itertools import count
from types import TracebackType

FIRST, SOON, LATER = 0, 1, 2
QUIET = 0.2  # seconds in which nobody else has asked for a turn
PATIENCE = 10.0  # seconds after which slow work has a turn however many others come


@dataclass
class _Owner:
    """A thread that has the turn: as how urgent it took it, and how many times."""

    rank: int
    depth: int = 1


class Turns:
    """A lock that the most urgent gets, and of these the one who came first; who has it may take it again.

    Attributes:
        slow: how many may have it together, if all of them do slow work.
    """

    def __init__(self, slow: int = 1) -> None:
        self.slow = slow
        self._changed = threading.Condition()
        self._numbers = count()
        self._run = threading.local()
        self._waiting: list[tuple[int, int, int]] = []
        self._owners: dict[int, _Owner] = {}  # by their threads
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
            mine = self._owners.get(threading.get_ident())
            if mine is None or not any(rank < LATER for rank, *_ in self._waiting):
                return
            depth, mine.depth = mine.depth, 1
        self._leave()
        self._take(LATER)
        self._owners[threading.get_ident()].depth = depth

    def is_mine(self) -> bool:
        """Return True if this thread has the turn."""
        return threading.get_ident() in self._owners

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
            if me in self._owners:
                self._owners[me].depth += 1
                return
            number, began = next(self._numbers), time.monotonic()
            mine = (rank, getattr(self._run, "number", number) if rank < LATER else number, number)
            self._waiting.append(mine)
            while not (self._is_free(rank) and min(self._waiting) == mine and self._is_quiet(mine)):
                self._changed.wait(QUIET if rank == LATER else None)
                if mine[0] == LATER and time.monotonic() - began > PATIENCE:
                    self._waiting.remove(mine)
                    mine = (FIRST, *mine[1:])
                    self._waiting.append(mine)
            self._waiting.remove(mine)
            self._owners[me] = _Owner(rank)

    def _is_free(self, rank: int) -> bool:
        if rank < LATER:
            return not self._owners
        return len(self._owners) < self.slow and all(owner.rank == LATER for owner in self._owners.values())

    def _is_quiet(self, mine: tuple[int, int, int]) -> bool:
        return mine[0] < LATER or time.monotonic() - self._last >= QUIET

    def _leave(self) -> None:
        with self._changed:
            mine = self._owners[threading.get_ident()]
            mine.depth -= 1
            if mine.depth == 0:
                if mine.rank < LATER:
                    self._last = time.monotonic()
                del self._owners[threading.get_ident()]
                self._changed.notify_all()


one_at_a_time = Turns()
