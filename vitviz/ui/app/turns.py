"""Lock for the processor, with priorities.

A forward pass uses all cores, so concurrent passes would only slow each other down. Work for the first picture of a
page has the highest priority; among pages, the one that began to run first is served first. Slow jobs, such as sweeps,
have the lowest priority. They release the lock between the blocks of their passes (between whole passes if these keep
their activations for gradients) and take it again once no other work has used it for a moment. A user who opens a page
therefore waits for one block, or one pass with gradients, of a job at most. A job that has waited for long, because
others always came first, keeps the lock for a moment, so that it ends however many users there are. A server may allow
several slow jobs to run concurrently.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from itertools import count
from types import TracebackType

from .connections import stop_if_closed

FIRST, SOON, LATER = 0, 1, 2
QUIET = 0.2  # seconds without other work before slow jobs get the lock
PATIENCE = 5.0  # seconds after which a waiting slow job gets the highest priority
SLICE = 0.5  # seconds that it then keeps the lock: about one batch, so a tenth of the time is for slow jobs at least


@dataclass
class _Owner:
    """Thread that holds the lock, with its priority and the number of nested acquisitions.

    It does not give way before the time `keeps_until`.
    """

    rank: int
    depth: int = 1
    keeps_until: float = 0.0


class Turns:
    """Reentrant lock with priorities. Among equal priorities, the first thread in the queue gets it.

    Attributes:
        slow: maximum number of slow jobs that may hold the lock together.

    Args:
        slow: initial value of the attribute.
        check: function called with each acquisition, as a wait may have been long. An exception that it raises
            releases the lock.
    """

    def __init__(self, slow: int = 1, check: Callable[[], None] = lambda: None) -> None:
        self.slow, self._check = slow, check
        self._changed = threading.Condition()
        self._numbers = count()
        self._run = threading.local()
        self._waiting: list[tuple[int, int, int]] = []
        self._owners: dict[int, _Owner] = {}  # by thread id
        self._last = -QUIET  # time at which work other than a slow job last released the lock

    def __enter__(self) -> None:
        self._take(SOON)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None):
        self._leave()

    def arrive(self) -> None:
        """Start a page run on this thread. All its requests count as made at this time."""
        self._run.number = next(self._numbers)

    def first(self) -> AbstractContextManager[None]:
        """Acquire the lock with the highest priority, for the first picture of a page."""
        return self._held(FIRST)

    def later(self) -> AbstractContextManager[None]:
        """Acquire the lock with the lowest priority, for a slow job; see `give_way`."""
        return self._held(LATER)

    def give_way(self) -> None:
        """Release the lock to waiting work of higher priority and take it again, if this thread holds it by `later`."""
        with self._changed:
            mine = self._owners.get(threading.get_ident())
            if mine is None or time.monotonic() < mine.keeps_until:
                return
            if not any(rank < LATER for rank, *_ in self._waiting):
                return
            depth, mine.depth = mine.depth, 1
        self._leave()
        self._take(LATER)
        self._owners[threading.get_ident()].depth = depth

    def is_mine(self) -> bool:
        """Return True if this thread holds the lock."""
        return threading.get_ident() in self._owners

    @contextmanager
    def _held(self, rank: int) -> Iterator[None]:
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
            keeps_until = time.monotonic() + SLICE if mine[0] < rank else 0.0
            self._owners[me] = _Owner(rank, keeps_until=keeps_until)
        try:
            self._check()
        except BaseException:
            self._leave()
            raise

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


one_at_a_time = Turns(check=stop_if_closed)
