"""Slow work on the page: how long it takes, a progress bar, and a way to stop it.

The page is no fragment, because Streamlit lets a click in a fragment wait until the run is over: here each click ends
the run that watches, and is answered.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import zip_longest

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from ....errors import VitvizError
from ...app import cache, jobs, waits
from ...app.words import literally
from .settings import ASKED, ask

GLANCE = 0.2  # seconds between two looks at how far it is
PAGE = "explain"
BEGINS = "explain_begins"  # in the session: the button that was clicked, until it is drawn again


@dataclass(frozen=True)
class Step:
    """A part of something that takes long: its coarse result, or the final one.

    Attributes:
        key: what identifies its result among all visitors.
        words: what it is.
        task: what computes the result, and keeps it.
        pace: what identifies the speed of such work, see `waits.Paces`.
        seconds: how long it is expected to take.
    """

    key: tuple
    words: str
    task: jobs.Task
    pace: tuple
    seconds: float


@dataclass(frozen=True)
class Work:
    """Something that takes long and was asked for.

    Attributes:
        bar: the progress bar that waits for it.
        steps: what is left of it, the coarse results first.
    """

    bar: DeltaGenerator
    steps: Sequence[Step]


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
    if st.session_state.get(BEGINS) == name:  # what is chosen now may be newer than the button that was clicked
        del st.session_state[BEGINS]
        ask(key)
    asked = key in ASKED.get()
    icon = ":material/stop_circle:" if asked else None
    st.button(
        "Stop" if asked else label,
        icon=icon,
        key=name,
        width=width,
        on_click=stop if asked else partial(st.session_state.update, {BEGINS: name}),
    )
    return asked


def stop() -> None:
    """Ask for no slow work any more. What is done is kept; what is running ends with the rerun that this is part of."""
    ASKED.reset()


def takes(steps: Sequence[Step]) -> str:
    """Expected duration of the steps, in words."""
    return f"Takes {waits.about(sum(step.seconds for step in steps))} on this server."


def waiting(steps: Sequence[Step]) -> Work:
    """Do the remaining steps, with a progress bar."""
    return Work(st.progress(0.0, _words(steps[0].words, sum(step.seconds for step in steps))), steps)


def work(pending: Sequence[Work]) -> None:
    """Wait for the first step, and then draw the page with it. The others are done meanwhile, on any page."""
    st.session_state.pop(BEGINS, None)  # of a button that is not there any more
    queue = _queue(pending)
    who = jobs.visitor(PAGE)
    every = jobs.shared()
    every.wait_only_for([step.key for _, step in queue], who)
    if not queue:
        return
    joined = [every.join(step.key, _once(step), who) for _, step in queue]
    (first, step), job = queue[0], joined[0]
    later = sum(other.seconds for other in first.steps[1:])
    while not job.watch(GLANCE):
        for other in joined[1:]:
            other.watch()
        share = job.done / job.total if job.total else 0.0
        left = step.seconds if job.seconds_left is None else job.seconds_left
        turn = f"{step.words}. {waits.turn(every.ahead(job))}"
        words = _words(step.words, left + later) if job.has_begun else turn
        first.bar.progress(share, words)  # a click ends the run here
    if job.error is None:
        waits.paces().note(step.pace, job.seconds, job.total)
    if job.error is None or isinstance(job.error, jobs.AbandonedError):
        st.rerun()
    stop()  # it will not go better the next time
    every.wait_only_for([], who)
    if not isinstance(job.error, VitvizError):
        raise job.error
    first.bar.error(literally(str(job.error)))


def _once(step: Step) -> jobs.Task:
    """The step's task, which does nothing if its result has come since this run of the page looked for it."""
    kept = cache.shared
    return lambda progress: step.task(progress) if kept.get(step.key) is None else None


def _queue(pending: Sequence[Work]) -> list[tuple[Work, Step]]:
    """All steps with what they belong to: first the coarse results of everything, then finer ones."""
    rounds = zip_longest(*([(one, step) for step in one.steps] for one in pending))
    return [found for of_round in rounds for found in of_round if found is not None]


def _words(words: str, left: float) -> str:
    return f"{words}: {waits.about(left)} left"
