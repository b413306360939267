"""Watching a job from a fragment of a page: how far it is, in words, and another look a little later."""

from __future__ import annotations

import streamlit as st
from streamlit.delta_generator import DeltaGenerator
from streamlit.errors import StreamlitAPIException

from . import jobs, waits

GLANCE = 0.8  # seconds between two looks at how far it is


def ended(job: jobs.Job, bar: DeltaGenerator, expected: float) -> bool:
    """Say in a progress bar how far a job is, and wait a moment for its end. Returns whether it is there."""
    left = expected if job.seconds_left is None else job.seconds_left
    words = f"{waits.about(left)} left" if job.has_begun else waits.turn(jobs.shared().ahead(job))
    bar.progress(job.done / job.total if job.total else 0.0, words)
    return job.watch(GLANCE)


def again() -> None:
    """Run the page again, to see how far it is: a run that waited for the end would hear of a click when it is late."""
    try:
        st.rerun(scope="fragment")
    except StreamlitAPIException:  # this run was not of the fragment alone
        st.rerun()
