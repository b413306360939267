"""Turns at the processor: one piece of work at a time, and first what a visitor looks for.

A forward pass uses all cores; two at once would only slow each other down. Slow work, such as a sweep, gives way
between its passes: whoever opens a page meanwhile waits for one pass, not for the sweep.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from types import TracebackType

SOON, LATER = 0, 1


class Turns:
    """A lock that the most urgent gets, and of these the one who has waited longest; who has it may take it again."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._numbers = count()
        self._waiting: list[tuple[int, int]] = []
        self._owner: int | None = None
        self._depth = 0

    def __enter__(self) -> None:
        self._take(SOON)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None):
        self._leave()

    @contextmanager
    def later(self) -> Iterator[None]:
        """Wait until nobody is there who looks for something, and keep the turn; see `give_way`."""
        self._take(LATER)
        try:
            yield
        finally:
            self._leave()

    def give_way(self) -> None:
        """Let all others go first who have asked for a turn with `with`, if this thread has one with `later`."""
        with self._changed:
            if self._owner != threading.get_ident() or not any(rank == SOON for rank, _ in self._waiting):
                return
            depth, self._depth = self._depth, 1
        self._leave()
        self._take(LATER)
        self._depth = depth

    def _take(self, rank: int) -> None:
        me = threading.get_ident()
        with self._changed:
            if self._owner == me:
                self._depth += 1
                return
            mine = (rank, next(self._numbers))
            self._waiting.append(mine)
            self._changed.wait_for(lambda: self._owner is None and min(self._waiting) == mine)
            self._waiting.remove(mine)
            self._owner, self._depth = me, 1

    def _leave(self) -> None:
        with self._changed:
            self._depth -= 1
            if self._depth == 0:
                self._owner = None
                self._changed.notify_all()


one_at_a_time = Turns()
