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
        bar: the progress bar that waits for it.
        words: what it is.
        task: what computes the result, and keeps it.
    """

    key: tuple
    bar: DeltaGenerator
    words: str
    task: jobs.Task


def begin_or_stop(key: tuple, label: str, name: str, width: str = "content") -> bool:
    """A button that asks for work, and stops it once it was asked for.

    It is one button, because one that is gone would stay visible until the run is over, and with it the work.

    Args:
        key: what identifies what is asked for.
        label: of the button before.
        name: of the button in the session.
        width: of the button.

    Returns:
        Whether the work was asked for.
    """
    asked = key in wanted.asked()
    icon = ":material/stop_circle:" if asked else None
    st.button(
        "Stop" if asked else label,
        icon=icon,
        key=name,
        width=width,
        on_click=wanted.stop if asked else lambda: wanted.ask(key),
    )
    return asked


def waiting(key: tuple, words: str, task: jobs.Task) -> Work:
    """A piece of work with its progress bar."""
    return Work(key, st.progress(0.0, words), words, task)


def work(pending: Sequence[Work]) -> None:
    """Wait for the first piece of work, and then draw the page with it."""
    if not pending:
        return
    first = pending[0]
    job = jobs.shared().join(first.key, first.task)
    while not job.watch(GLANCE):
        how_far = f": {job.done:,} of {job.total:,}" if job.total else ""
        first.bar.progress(job.done / (job.total or 1), first.words + how_far)  # a click ends the run here
    if job.error is None or isinstance(job.error, jobs.AbandonedError):
        st.rerun()
    wanted.stop()  # it will not go better the next time
    if not isinstance(job.error, VitvizError):
        raise job.error
    first.bar.error(literally(str(job.error)))
