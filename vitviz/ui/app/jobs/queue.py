"""Slow work in the background, once for all who wait for it, and only as long as somebody does.

It gives way, whenever it reports how far it is, to those who look for something that takes a moment (see `turns`).

A user's click ends the run of their page, so what a run computes itself would begin anew with each click. Here a run
only watches; the next one finds the work further on. Work goes on for users who are on another page; it ends early only
if they stop it, or leave altogether.
"""

from __future__ import annotations

import math
import os
import re
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import Any

from streamlit import runtime
from streamlit.runtime.scriptrunner import get_script_run_ctx

from ....errors import VitvizError
from ....errors.arguments import shown
from ..turns import one_at_a_time

VARIABLE = "VITVIZ_JOBS"
DOWNLOADS = 2  # at once; they wait for the network, not for the processor
PATIENCE = 30.0  # seconds that work goes on when nobody who waits for it is connected: somebody may come back

Task = Callable[["Job"], object]
Who = tuple[str, str]  # a session, and the place in the app where it waits


class AbandonedError(BaseException):
    """Nobody waits for this work any more. No `Exception`, so that nothing on the way takes it for a failure."""


class Job:
    """One piece of work. It is itself the `Progress` that its task reports to.

    Attributes:
        key: what identifies its result.
        done: how much is done, and
        total: how much there is; 0 before the first report.
        part: what the task has found so far, if it tells.
        error: what went wrong; None if nothing did.
        waiting: who waits for it.
    """

    def __init__(self, key: tuple, task: Task, patience: float, is_here: Callable[[str], bool]):
        self.key, self.done, self.total, self.part, self.error = key, 0, 0, None, None
        self.waiting: set[Who] = set()
        self._task, self._patience, self._is_here, self._ended = task, patience, is_here, threading.Event()
        self._began = self._took = None
        self.watch()

    def __call__(self, done: int, total: int) -> None:
        """Report how far it is.

        Raises:
            AbandonedError: if it is to end here.
        """
        if self.is_abandoned:
            raise AbandonedError
        self.done, self.total = done, total
        one_at_a_time.give_way()

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
    def has_ended(self) -> bool:
        """True once it is done, has failed or was stopped."""
        return self._ended.is_set()

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

    def run(self, turn: AbstractContextManager) -> None:
        """Do the work.

        Args:
            turn: what it waits for before it begins, and keeps until it ends.
        """
        try:
            self(0, 0)
            with turn:
                self(0, 0)
                self._began = time.monotonic()
                self._task(self)
        except (Exception, AbandonedError) as error:  # it belongs to those who wait
            self.error = error
        finally:
            self._took = time.monotonic() - (self._began or time.monotonic())

    def end(self) -> None:
        """Let all who watch know that it is over."""
        self._ended.set()


class Jobs:
    """A queue of work for all sessions, which take turns: who asks for much waits longer, and nobody else does.

    Args:
        at_once: how many pieces of work go on at once.
        patience: for how many seconds work goes on for nobody.
        is_here: whether a session, by its id, is connected.
        turn: makes what a piece of work waits for before it begins; by default, a turn at the processor.
    """

    def __init__(
        self,
        at_once: int = 1,
        patience: float = PATIENCE,
        is_here: Callable[[str], bool] = lambda _: False,
        turn: Callable[[], AbstractContextManager] = one_at_a_time.later,
    ):
        self._at_once, self._patience, self._is_here, self._turn = at_once, patience, is_here, turn
        self._jobs: dict[tuple, Job] = {}  # also those that have failed, until all who wait for them know
        self._queue: list[Job] = []  # also those that nobody waits for any more, until their turn has come
        self._running: list[Job] = []
        self._served: dict[str, int] = {}  # when each session has had its last turn, in turns
        self._lock = threading.Lock()
        self._workers = ThreadPoolExecutor(at_once, "slow-work")

    def join(self, key: tuple, task: Task, who: Who | None = None) -> Job:
        """The work with this key: what is being done or waits for its turn, or else new.

        Work that has failed is returned once to each who waited for it; then it can be begun anew.
        """
        with self._lock:
            self._forget_failures()
            job = self._jobs.get(key)
            if job is not None and job.has_ended and who in job.waiting:
                job.waiting.discard(who)
                return job
            if job is None or job.has_ended or job.is_abandoned:
                job = self._jobs[key] = Job(key, task, self._patience, self._is_here)
                self._queue.append(job)
            if who is not None:
                job.waiting.add(who)
            job.watch()
            self._begin_next()
            return job

    def ahead(self, job: Job) -> int:
        """Number of pieces of work that end before this one begins; 0 if it has begun."""
        with self._lock:
            queue, served, before = [one for one in self._queue if not one.is_abandoned], dict(self._served), 0
            running = sum(one.has_begun or not one.is_abandoned for one in self._running)  # others end at once
            if job not in queue:
                return 0
            while (first := _first(queue, served)) is not job:
                queue.remove(first)
                _serve(first, served)
                before += 1
            return max(0, before + running - self._at_once + 1)

    def part(self, key: tuple) -> Any:
        """What the work with this key has found so far; None if it does not tell, or there is no such work."""
        job = self._jobs.get(key)
        return None if job is None else job.part

    def leave(self, keys: Iterable[tuple], who: Who) -> None:
        """Let go of work that somebody waited for."""
        with self._lock:
            for job in [self._jobs[key] for key in keys if key in self._jobs]:
                if who in job.waiting:
                    job.leave(who)

    def wait_only_for(self, keys: Iterable[tuple], who: Who) -> None:
        """Let go of all other work that somebody waited for."""
        kept = set(keys)
        with self._lock:
            others = [key for key in self._jobs if key not in kept]
        self.leave(others, who)

    def _begin_next(self) -> None:
        """Begin as much as may go on at once."""
        while self._queue and len(self._running) < self._at_once:
            job = _first(self._queue, self._served)
            _serve(job, self._served)
            self._queue.remove(job)
            self._running.append(job)
            self._workers.submit(self._run, job)

    def _run(self, job: Job) -> None:
        job.run(self._turn())
        with self._lock:
            self._running.remove(job)
            has_failed = isinstance(job.error, Exception) and job.waiting
            if self._jobs.get(job.key) is job and not has_failed:
                del self._jobs[job.key]
            if not self._queue and not self._running:
                self._served.clear()
            job.end()
            self._begin_next()

    def _forget_failures(self) -> None:
        """Forget failed work that nobody is left to be told of."""
        for job in list(self._jobs.values()):
            if job.has_ended and (not job.waiting or job.is_abandoned):
                del self._jobs[job.key]


def _first(queue: list[Job], served: dict[str, int]) -> Job:
    """The work to do next: that of the session which has waited longest for a turn; of its own, what it asked first."""
    return min(queue, key=lambda job: min((served.get(session, 0) for session, _ in job.waiting), default=0))


def _serve(job: Job, served: dict[str, int]) -> None:
    """Note that a turn is that of all who wait for this work."""
    served.update(dict.fromkeys((session for session, _ in job.waiting), 1 + max(served.values(), default=0)))


@cache
def shared() -> Jobs:
    """The work of this process that needs the processor.

    Raises:
        VitvizError: if VITVIZ_JOBS is not a whole number of at least 1.
    """
    one_at_a_time.slow = most_at_once()
    return Jobs(one_at_a_time.slow, is_here=_is_connected)


@cache
def downloads() -> Jobs:
    """The downloads of this process."""
    return Jobs(DOWNLOADS, is_here=_is_connected, turn=nullcontext)


def most_at_once() -> int:
    """How many pieces of slow work go on at once: VITVIZ_JOBS, or 1, because each uses all cores.

    Raises:
        VitvizError: if it is not a whole number of at least 1.
    """
    said = os.environ.get(VARIABLE) or "1"
    if not re.fullmatch("0*[1-9][0-9]{0,2}", said):
        raise VitvizError(f"{VARIABLE} is {shown(said)}; set it to a whole number of at least 1.")
    return int(said)


def who_asks(place: str) -> Who:
    """This session, as one that waits at a place in the app, such as a section of a page."""
    context = get_script_run_ctx()
    return ("" if context is None else context.session_id), place


def _is_connected(session: str) -> bool:
    return runtime.exists() and runtime.get_instance().is_active_session(session)
