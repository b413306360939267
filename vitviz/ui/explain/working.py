"""Slow work on the page: a progress bar, and a way to stop it.

The page is no fragment, because Streamlit lets a click in a fragment wait until the run is over: here each click ends
the run that watches, and is answered.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from ...errors import VitvizError
from ..words import literally
from . import jobs, wanted

GLANCE = 0.2  # seconds between two looks at how far it is


@dataclass(frozen=True)
class Work:
    """Something that takes long and was asked for.

    Attributes:
        key: what identifies its result among all visitors.
        place: where the page says how far it is.
        words: what it is.
        task: what computes the result, and keeps it.
    """

    key: tuple
    place: DeltaGenerator
    words: str
    task: jobs.Task


def stop_button(key: str) -> None:
    """Stops all that is being computed for this visitor."""
    st.button("Stop", icon=":material/stop_circle:", key=key, on_click=wanted.stop)


def work(pending: Sequence[Work]) -> None:
    """Wait for the first piece of work, and then draw the page with it."""
    if not pending:
        return
    first = pending[0]
    job = jobs.shared().join(first.key, first.task)
    bar = first.place.progress(0.0, first.words)
    while not job.watch(GLANCE):
        bar.progress(job.done / job.total, f"{first.words}: {job.done:,} of {job.total:,}")  # a click ends the run here
    if job.error is None or isinstance(job.error, jobs.AbandonedError):
        st.rerun()
    wanted.stop()  # it will not go better the next time
    if not isinstance(job.error, VitvizError):
        raise job.error
    first.place.error(literally(str(job.error)))
