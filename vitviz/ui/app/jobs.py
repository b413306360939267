"""Slow work in the background, once for all who wait for it, and only as long as somebody does.

It gives way, whenever it reports how far it is, to those who look for something that takes a moment (see `turns`).

A visitor's click ends the run of their page, so what a run computes itself would begin anew with each click. Here a run
only watches; the next one finds the work further on. Who goes to another page waits on: work ends early only if they
take back what they asked for, or leave altogether.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cache

from streamlit import runtime
from streamlit.runtime.scriptrunner import get_script_run_ctx

from ...errors.progress import Progress
from .turns import one_at_a_time

PATIENCE = 30.0  # seconds that work goes on when nobody who waits for it is connected: somebody may come back

Task = Callable[[Progress], object]
Who = tuple[str, str]  # a visitor's session, and for which page it waits


class AbandonedError(Exception):
    """Nobody waits for this work any more."""


class Job:
    """One piece of work.

    Attributes:
        done: how much is done, and
        total: how much there is; 0 before the first report.
        error: what went wrong; None if nothing did.
        waiting: who waits for it.
    """

    def __init__(self, task: Task, patience: float, is_here: Callable[[str], bool]):
        self.done, self.total, self.error = 0, 0, None
        self.waiting: set[Who] = set()
        self._task, self._patience, self._is_here, self._ended = task, patience, is_here, threading.Event()
        self._began = self._took = None
        self.watch()

    @property
    def is_abandoned(self) -> bool:
        """True if nobody has watched it for a while, or waits for it on another page."""
        waiting = tuple(self.waiting)  # others join and leave meanwhile
        if any(self._is_here(session) for session, _ in waiting):
            self._watched = time.monotonic()
            return False
        return time.monotonic() - self._watched > self._patience

    @property
    def has_begun(self) -> bool:
        """True once its turn has come."""
        return self._began is not None

    @property
    def seconds(self) -> float:
        """Seconds that it has been at work."""
        if self._began is None:
            return 0.0
        return self._took or time.monotonic() - self._began

    @property
    def seconds_left(self) -> float | None:
        """Seconds that it will go on, at the speed so far; None if nothing is known of that."""
        return self.seconds / self.done * (self.total - self.done) if self.done else None

    def watch(self, seconds: float = 0.0) -> bool:
        """Wait for the end, so long at most. Returns whether it is there."""
        self._watched = time.monotonic()
        return self._ended.wait(seconds)

    def leave(self, who: Who) -> None:
        """Wait for it no more; if nobody else does, it ends at its next report."""
        self.waiting.discard(who)
        if not self.waiting:
            self._watched = -math.inf

    def run(self) -> None:
        """Do the work."""
        try:
            with one_at_a_time.later():
                self._report(0, 0)
                self._began = time.monotonic()
                self._task(self._report)
        except Exception as error:  # it belongs to those who wait
            self.error = error
        finally:
            self._took = time.monotonic() - (self._began or time.monotonic())
            self._ended.set()

    def _report(self, done: int, total: int) -> None:
        if self.is_abandoned:
            raise AbandonedError
        self.done, self.total = done, total
        one_at_a_time.give_way()


class Jobs:
    """All work of this process: one piece at a time, because each uses all cores.

    Args:
        patience: for how many seconds work goes on for nobody.
        is_here: whether a session, by its id, is connected.
    """

    def __init__(self, patience: float = PATIENCE, is_here: Callable[[str], bool] = lambda _: False):
        self._jobs: dict[tuple, Job] = {}
        self._queue: list[Job] = []  # also those that nobody waits for any more, until their turn has come
        self._patience, self._is_here, self._lock = patience, is_here, threading.Lock()
        self._worker = ThreadPoolExecutor(1, "slow-work")

    def join(self, key: tuple, task: Task, who: Who | None = None) -> Job:
        """The work with this key: what is being done or waits for its turn, or else new."""
        with self._lock:
            job = self._jobs.get(key)
            is_new = job is None or job.is_abandoned
            if is_new:
                job = self._jobs[key] = Job(task, self._patience, self._is_here)
            if who is not None:
                job.waiting.add(who)
            job.watch()
            if is_new:
                self._queue.append(job)
                self._worker.submit(self._run, key, job)
            return job

    def ahead(self, job: Job) -> int:
        """Number of pieces of work that end before this one begins; 0 if it has begun."""
        with self._lock:
            before = self._queue[: self._queue.index(job)] if job in self._queue else []
        return sum(other.has_begun or not other.is_abandoned for other in before)  # else it ends at once

    def wait_only_for(self, keys: Iterable[tuple], who: Who) -> None:
        """Let go of all other work that somebody waited for."""
        keys = set(keys)
        with self._lock:
            for key, job in self._jobs.items():
                if key not in keys and who in job.waiting:
                    job.leave(who)

    def _run(self, key: tuple, job: Job) -> None:
        job.run()
        with self._lock:
            self._queue.remove(job)
            if self._jobs.get(key) is job:
                del self._jobs[key]


@cache
def shared() -> Jobs:
    """The work of this process."""
    return Jobs(is_here=_is_connected)


def visitor(page: str) -> Who:
    """This visitor, as one who waits on a page."""
    context = get_script_run_ctx()
    return ("" if context is None else context.session_id), page


def _is_connected(session: str) -> bool:
    return runtime.exists() and runtime.get_instance().is_active_session(session)
