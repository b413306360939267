"""Queue of background jobs, shared by all users. A job runs once for all users who wait for it.

Whenever a job reports its progress, and between the blocks of its forward passes, it yields the processor to short work
(see `turns`).

A click ends the current run of a page, so work done in the run itself would start again with each click. With a job, a
run only watches the progress, and the next run continues to watch. Jobs continue while their users are on another page.
They end early only if they are stopped, or if no waiting user is connected any more.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import torch
from streamlit.runtime.scriptrunner import get_script_run_ctx

from ....model.hooks import between_blocks
from ....notation import variables
from ..connections import is_connected
from ..histogram import Histogram
from ..turns import one_at_a_time

_log = logging.getLogger(__name__)
DOWNLOADS = 2  # concurrent downloads, which are limited by the network, not by the processor
PATIENCE = 7.0  # seconds that a job continues after all users who wait for it have disconnected; a reload takes less

BOUNDS = (1, 3, 10, 30, 100, 300)  # seconds of the histograms of durations

Outcome = Literal["finished", "failed", "abandoned"]
Task = Callable[["Job"], object]
Waiter = tuple[str, str]  # session id, and place in the app


class AbandonedError(BaseException):
    """Signal that a job is no longer needed. Not an `Exception`, so that no handler takes it for a failure."""


class Job:
    """Background job. It is also the `Progress` to which its task reports.

    Attributes:
        key: key of the result.
        done: units of work done.
        total: total units of work; 0 before the first report.
        part: partial result, if the task sets it.
        error: exception raised by the task; None if there was none.
        waiting: sessions that wait for the job, with their places.
    """

    def __init__(self, key: tuple, task: Task, patience: float, is_connected: Callable[[str], bool]):
        self.key, self.done, self.total, self.part, self.error = key, 0, 0, None, None
        self.waiting: set[Waiter] = set()
        self._task, self._patience, self._is_connected = task, patience, is_connected
        self._ended = threading.Event()
        self._began = self._took = None
        self.watch()

    def __call__(self, done: int, total: int) -> None:
        """Report progress.

        Raises:
            AbandonedError: if the job is to end.
        """
        self._end_if_abandoned()
        self.done, self.total = done, total
        one_at_a_time.give_way()

    def check(self) -> None:
        """End the job if it is no longer needed, or give way; called between blocks, also if reports are rare.

        Raises:
            AbandonedError: if the job is to end.
        """
        self._end_if_abandoned()
        if not torch.is_grad_enabled():  # the activations of a pass with gradients stay in memory meanwhile
            one_at_a_time.give_way()

    def _end_if_abandoned(self) -> None:
        if self.is_abandoned:
            raise AbandonedError

    @property
    def is_abandoned(self) -> bool:
        """True if no connected session waits for the job, and none has watched it for a while."""
        waiting = tuple(self.waiting)  # a copy, because other threads modify the set
        if any(self._is_connected(session) for session, _ in waiting):
            self._watched = time.monotonic()
            return False
        return time.monotonic() - self._watched > self._patience

    @property
    def kind(self) -> str:
        """Kind of the job, such as `"sweep"`: the first item of its key, which tells nothing about its users."""
        return str(self.key[0])

    @property
    def outcome(self) -> Outcome:
        """Outcome of the job, once it has ended."""
        return "finished" if self.error is None else "failed" if isinstance(self.error, Exception) else "abandoned"

    @property
    def has_begun(self) -> bool:
        """True once the job is running or has ended."""
        return self._began is not None

    @property
    def has_ended(self) -> bool:
        """True once the job is done, has failed or was stopped."""
        return self._ended.is_set()

    @property
    def seconds(self) -> float:
        """Seconds since the job began."""
        if self._began is None:
            return 0.0
        return self._took or time.monotonic() - self._began

    @property
    def seconds_left(self) -> float | None:
        """Estimated remaining seconds, from the speed so far; None before the first progress."""
        return self.seconds / self.done * (self.total - self.done) if self.done else None

    def watch(self, seconds: float = 0.0) -> bool:
        """Wait for the end of the job, at most for some seconds. Return True if it has ended."""
        self._watched = time.monotonic()
        return self._ended.wait(seconds)

    def leave(self, waiter: Waiter) -> None:
        """Stop waiting. If no other session waits, the job ends at its next report."""
        self.waiting.discard(waiter)
        if not self.waiting:
            self._watched = -math.inf

    def run(self, turn: AbstractContextManager) -> None:
        """Run the task.

        Args:
            turn: context manager entered before the task begins, such as the processor lock.
        """
        try:
            self(0, 0)
            with turn:
                self(0, 0)
                self._began = time.monotonic()
                with between_blocks(self.check):
                    self._task(self)
        except (Exception, AbandonedError) as error:  # reported to the waiting sessions
            self.error = error
        finally:
            self._took = time.monotonic() - (self._began or time.monotonic())

    def end(self) -> None:
        """Notify all watching threads that the job has ended."""
        self._ended.set()


@dataclass(frozen=True)
class Figures:
    """Figures of a job queue.

    Attributes:
        queued: number of jobs that wait for their turn, without abandoned ones.
        running: number of running jobs.
        ended: number of ended jobs by kind and outcome.
        seconds: durations of ended jobs by kind; those of abandoned jobs that had not begun are 0.
    """

    queued: int
    running: int
    ended: Mapping[tuple[str, Outcome], int]
    seconds: Mapping[str, Histogram]


class Jobs:
    """Job queue with round-robin scheduling over sessions, so that many jobs of one session do not delay the others.

    Args:
        at_once: maximum number of concurrent jobs.
        patience: seconds that a job continues without a connected session.
        is_connected: function that tells whether a session, given by its id, is connected.
        turn: factory of the context manager in which a job runs; by default, the processor lock.
    """

    def __init__(
        self,
        at_once: int = 1,
        patience: float = PATIENCE,
        is_connected: Callable[[str], bool] = lambda _: False,
        turn: Callable[[], AbstractContextManager] = one_at_a_time.later,
    ):
        self._at_once, self._patience, self._is_connected, self._turn = at_once, patience, is_connected, turn
        self._jobs: dict[tuple, Job] = {}  # includes failed jobs until all waiting sessions have seen the error
        self._queue: list[Job] = []  # includes abandoned jobs
        self._running: list[Job] = []
        self._served: dict[str, int] = {}  # number of the last turn of each session
        self._ended: Counter[tuple[str, Outcome]] = Counter()
        self._seconds: dict[str, Histogram] = {}
        self._lock = threading.Lock()
        self._workers = ThreadPoolExecutor(at_once, "slow-work")

    def join(self, key: tuple, task: Task, waiter: Waiter | None = None) -> Job:
        """Return the running or queued job with this key, or create it.

        A failed job is returned once to each waiter. After that, it can be started again.
        """
        with self._lock:
            self._forget_failures()
            job = self._jobs.get(key)
            if job is not None and job.has_ended and waiter in job.waiting:
                job.waiting.discard(waiter)
                return job
            if job is None or job.has_ended or job.is_abandoned:
                job = self._jobs[key] = Job(key, task, self._patience, self._is_connected)
                self._queue.append(job)
            if waiter is not None:
                job.waiting.add(waiter)
            job.watch()
            self._begin_next()
            return job

    def ahead(self, job: Job) -> int:
        """Number of jobs that must end before this one begins; 0 if it has begun."""
        with self._lock:
            queue, served, before = [one for one in self._queue if not one.is_abandoned], dict(self._served), 0
            running = sum(one.has_begun or not one.is_abandoned for one in self._running)  # others end immediately
            if job not in queue:
                return 0
            while (first := _first(queue, served)) is not job:
                queue.remove(first)
                _serve(first, served)
                before += 1
            return max(0, before + running - self._at_once + 1)

    def part(self, key: tuple) -> Any:
        """Return the partial result of the job with this key; None if there is none."""
        job = self._jobs.get(key)
        return None if job is None else job.part

    def figures(self) -> Figures:
        """Return the present and past numbers of jobs."""
        with self._lock:
            queued = sum(not job.is_abandoned for job in self._queue)
            return Figures(queued, len(self._running), dict(self._ended), dict(self._seconds))

    def leave(self, keys: Iterable[tuple], waiter: Waiter) -> None:
        """Stop waiting for the jobs with these keys."""
        with self._lock:
            for job in [self._jobs[key] for key in keys if key in self._jobs]:
                if waiter in job.waiting:
                    job.leave(waiter)

    def wait_only_for(self, keys: Iterable[tuple], waiter: Waiter) -> None:
        """Stop waiting for all jobs except those with these keys."""
        kept = set(keys)
        with self._lock:
            others = [key for key in self._jobs if key not in kept]
        self.leave(others, waiter)

    def _begin_next(self) -> None:
        """Start queued jobs up to the maximum number of concurrent jobs."""
        while self._queue and len(self._running) < self._at_once:
            job = _first(self._queue, self._served)
            _serve(job, self._served)
            self._queue.remove(job)
            self._running.append(job)
            self._workers.submit(self._run, job)

    def _run(self, job: Job) -> None:
        _log.info("Job begun: %s.", job.kind)
        job.run(self._turn())
        _log.info("Job %s after %.1f s: %s.", job.outcome, job.seconds, job.kind)
        with self._lock:
            self._running.remove(job)
            self._ended[job.kind, job.outcome] += 1
            self._seconds.setdefault(job.kind, Histogram(*BOUNDS)).note(job.seconds)
            has_failed = isinstance(job.error, Exception) and job.waiting
            if self._jobs.get(job.key) is job and not has_failed:
                del self._jobs[job.key]
            if not self._queue and not self._running:
                self._served.clear()
            job.end()
            self._begin_next()

    def _forget_failures(self) -> None:
        """Remove failed jobs for which no session waits."""
        for job in list(self._jobs.values()):
            if job.has_ended and (not job.waiting or job.is_abandoned):
                del self._jobs[job.key]


def _first(queue: list[Job], served: dict[str, int]) -> Job:
    """Return the next job: that of the session whose last turn is longest ago; within a session, the oldest."""
    return min(queue, key=lambda job: min((served.get(session, 0) for session, _ in job.waiting), default=0))


def _serve(job: Job, served: dict[str, int]) -> None:
    """Record a turn for all sessions that wait for this job."""
    served.update(dict.fromkeys((session for session, _ in job.waiting), 1 + max(served.values(), default=0)))


@cache
def shared() -> Jobs:
    """Return the job queue of this process.

    Raises:
        VitvizError: if VITVIZ_JOBS is not a valid number.
    """
    one_at_a_time.slow = most_at_once()
    return Jobs(one_at_a_time.slow, is_connected=is_connected)


@cache
def downloads() -> Jobs:
    """Return the download queue of this process."""
    return Jobs(DOWNLOADS, is_connected=is_connected, turn=nullcontext)


def in_use() -> list[Jobs]:
    """Return the queues of this process that have had a job."""
    return [queue() for queue in (shared, downloads) if queue.cache_info().currsize]


def most_at_once() -> int:
    """Maximum number of concurrent jobs: VITVIZ_JOBS.

    Raises:
        VitvizError: if VITVIZ_JOBS is not a valid number.
    """
    return variables.JOBS.value()


def current_waiter(place: str) -> Waiter:
    """Return the current session as a waiter at a place in the app, such as a section of a page."""
    context = get_script_run_ctx()
    return ("" if context is None else context.session_id), place
