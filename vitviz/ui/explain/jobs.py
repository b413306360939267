"""Slow work in the background, once for all who wait for it, and only as long as somebody does.

A visitor's click ends the run of their page, so what a run computes itself would begin anew with each click. Here a run
only watches; the next one finds the work further on.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import streamlit as st

from ...attribution.progress import Progress

PATIENCE = 10.0  # seconds that work goes on unwatched: a run that a click ended is followed by another one

Task = Callable[[Progress], object]


class AbandonedError(Exception):
    """Nobody waits for this work any more."""


class Job:
    """One piece of work.

    Attributes:
        done: how much is done, and
        total: how much there is; 0 before the first report.
        error: what went wrong; None if nothing did.
    """

    def __init__(self, task: Task, patience: float):
        self.done, self.total, self.error = 0, 0, None
        self._task, self._patience, self._ended = task, patience, threading.Event()
        self.watch()

    @property
    def is_abandoned(self) -> bool:
        """Whether nobody has watched it for a while."""
        return time.monotonic() - self._watched > self._patience

    def watch(self, seconds: float = 0.0) -> bool:
        """Wait for the end, so long at most. Returns whether it is there."""
        self._watched = time.monotonic()
        return self._ended.wait(seconds)

    def run(self) -> None:
        """Do the work."""
        try:
            self._report(0, 0)
            self._task(self._report)
        except Exception as error:  # it belongs to those who wait
            self.error = error
        finally:
            self._ended.set()

    def _report(self, done: int, total: int) -> None:
        if self.is_abandoned:
            raise AbandonedError
        self.done, self.total = done, total


class Jobs:
    """All work of this process: one piece at a time, because each uses all cores."""

    def __init__(self, patience: float = PATIENCE):
        self._jobs: dict[tuple, Job] = {}
        self._patience, self._lock = patience, threading.Lock()
        self._worker = ThreadPoolExecutor(1, "explain")

    def join(self, key: tuple, task: Task) -> Job:
        """The work with this key: what is being done or waits for its turn, or else new."""
        with self._lock:
            job = self._jobs.get(key)
            if job is None or job.is_abandoned:
                job = self._jobs[key] = Job(task, self._patience)
                self._worker.submit(self._run, key, job)
            job.watch()
            return job

    def _run(self, key: tuple, job: Job) -> None:
        job.run()
        with self._lock:
            if self._jobs.get(key) is job:
                del self._jobs[key]


@st.cache_resource(show_spinner=False)
def shared() -> Jobs:
    """The work of this process."""
    return Jobs()
