"""Slow work on a page: a button that begins it and stops it, how long it takes, and how far it is.

A page describes its work, draws the button with `ask`, and calls `watch` once at its end; for a section of a fragment
that has a single result, `result` does both. What a user has asked for stays asked for until they stop it, on whichever
page they are meanwhile, and what is found is kept in `cache.results` for all users.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import zip_longest
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator
from streamlit.errors import StreamlitAPIException

from ....errors import VitvizError
from ....errors.progress import Progress
from .. import cache
from ..messages import escape_markdown
from . import durations, queue

GLANCE = 0.8  # seconds between two looks at how far it is in a fragment, each of which is a run of it
SHORT_GLANCE = 0.2  # in a page, whose run goes on meanwhile
KEY = "slow_work"  # in the session


@dataclass(frozen=True)
class Step:
    """A part of slow work: its coarse result, or the final one.

    Attributes:
        key: identifies the result among all users.
        task: computes the result, in any thread, so that it must not use the page. It is called with the job, to which
            it reports how far it is, and whose `part` it may set to what it has found so far.
        seconds: expected duration; None if it is not known.
        words: name of the step, if there is more than one.
        pace: identifies the speed of such work, see `durations.Paces`; None if the task notes it itself.
        say: describes how far the job is; by default, the time that is left.
        is_kept: whether the result is kept in `cache.results`.
    """

    key: tuple
    task: queue.Task
    seconds: float | None = None
    words: str = ""
    pace: tuple | None = None
    say: Callable[[queue.Job], str] | None = None
    is_kept: bool = True


@dataclass(frozen=True)
class Work:
    """Slow work that a user can ask for.

    Attributes:
        key: identifies the work in the session.
        place: where in the app it stands, such as a section of a page. As soon as a user waits for something there,
            they wait no more for other work that they had begun there and that is no longer in sight.
        name: key of its button in the session.
        label: label of the button before it is clicked.
        steps: the steps that are left, coarse results first; none if the work is done.
        width: width of the button.
        detail: text after the expected duration.
        keeps_parts: whether a part of the result is kept when the work is stopped.
        autostart: whether it begins without a click, unless the user has stopped it before.
        jobs: the queue in which it waits.
    """

    key: tuple
    place: str
    name: str
    label: str
    steps: Sequence[Step] = ()
    width: str = "content"
    detail: str = ""
    keeps_parts: bool = False
    autostart: bool = False
    jobs: Callable[[], queue.Jobs] = queue.shared


@dataclass(frozen=True)
class Request:
    """Work that was asked for and is not done.

    Attributes:
        work: the work.
        bar: its progress bar.
    """

    work: Work
    bar: DeltaGenerator


@dataclass
class _Session:
    """Requests of a session.

    Attributes:
        asked: keys of the work that was asked for, done or not.
        stopped: keys of the work that was stopped, or has failed.
        said: for work that has just been stopped, None, and for work that has just failed, the reason; shown once.
        begins: place and name of the button that was clicked, until it is drawn again: what is chosen then may be newer
            than the button that was clicked, and it is that which begins.
        dialog: the place of the dialog that is open; None if none is.
    """

    asked: set[tuple] = field(default_factory=set)
    stopped: set[tuple] = field(default_factory=set)
    said: dict[tuple, str | None] = field(default_factory=dict)
    begins: tuple[str, str] | None = None
    dialog: str | None = None


def start_button(work: Work, below: DeltaGenerator | None = None) -> list[Request]:
    """Draw a button that asks for work, and stops it once it was asked for.

    It is one button, because one that is gone would stay visible until the run is over, and with it the work.

    Args:
        work: what can be asked for.
        below: where the progress bar stands, and what there is to be said; by default, below the button.

    Returns:
        The work if it was asked for and is not done, for `watch`.
    """
    session, here = _session(), st.container()  # a place that is always there, so that what follows does not move
    if session.begins == (work.place, work.name):
        session.begins = None
        session.asked.add(work.key)
        session.stopped.discard(work.key)
    has_stopped, problem = work.key in session.said, session.said.pop(work.key, None)
    asked = is_requested(work)
    if work.steps:
        here.button(
            "Stop" if asked else work.label,
            icon=":material/stop_circle:" if asked else None,
            key=work.name,
            width=work.width,
            on_click=partial(_stop, work.key, _keys(work), work.place, work.jobs)
            if asked
            else partial(_begin, work.place, work.name),
        )
    with here if below is None else below:
        if problem:
            st.error(escape_markdown(problem))
        if work.steps and asked:
            return [Request(work, st.progress(0.0))]
        if work.steps:
            stopped = has_stopped and not problem and not work.keeps_parts
            words = ["Stopped; what was found so far is not kept." if stopped else "", _takes(work)]
            if any(words):
                st.caption(" ".join(filter(None, words)))
    return []


def watch(place: str, asked: Sequence[Request], in_fragment: bool = False) -> None:
    """Wait for the first step to end, and then run again. The others are done meanwhile, on any page.

    Args:
        place: where in the app.
        asked: all that was asked for there.
        in_fragment: whether this is a fragment, where Streamlit lets a click wait until the run is over: then it runs
            again after a moment. In a page, a click ends the run.
    """
    session = _session()
    if session.begins is not None and session.begins[0] == place:  # of a button that is not there any more
        session.begins = None
    if not asked:
        return
    jobs, who = asked[0].work.jobs(), queue.who_asks(place)
    steps = _in_order(asked)
    jobs.wait_only_for([step.key for _, step in steps], who)
    joined = [(one, step, jobs.join(step.key, partial(_run, step), who)) for one, step in steps]
    while not any(job.has_ended for _, _, job in joined):
        for one in asked:
            step, job = next((step, job) for other, step, job in joined if other is one)
            _draw(one, step, job, jobs)
        if session.dialog not in (None, place):
            return
        joined[0][2].watch(GLANCE if in_fragment else SHORT_GLANCE)
        for _, _, job in joined:
            job.watch()
        if in_fragment and not any(job.has_ended for _, _, job in joined):
            again()
    problems = [(one.work, _problem(step, job)) for one, step, job in joined if job.has_ended]
    for work, problem in problems:
        if problem is not None:  # it will not go better the next time
            _stop(work.key, _keys(work), place, work.jobs)
            session.said[work.key] = str(problem) if isinstance(problem, VitvizError) else None
    for _, problem in problems:
        if problem is not None and not isinstance(problem, VitvizError):
            raise problem
    again()


def result(work: Work, step: Callable[[], Step], draw_part: Callable[[Any], None] | None = None) -> Any:
    """The result of work of one step, in a fragment; None as long as nobody asks for it.

    Once it was asked for, this does not return before the result is there, but runs the fragment again and again.

    Args:
        work: what can be asked for, with the key of its result, and without its step.
        step: makes the step, if there is no result yet.
        draw_part: draws what the work has found so far.
    """
    found = cache.results.get(work.key)
    asked = start_button(work if found is not None else replace(work, steps=[step()]))
    part = work.jobs().part(work.key) if asked and draw_part is not None else None
    if part is not None:
        draw_part(part)
    watch(work.place, asked, in_fragment=True)
    return found


def is_requested(work: Work) -> bool:
    """Whether this session has asked for this work, done or not."""
    session = _session()
    return work.key in session.asked or (work.autostart and work.key not in session.stopped)


def forget(key: tuple) -> None:
    """Ask for this work no more; it goes on nevertheless, if it has begun."""
    _session().asked.discard(key)


def set_dialog(place: str | None) -> None:
    """Note which dialog is open. The page below does not wait for its work meanwhile, or the dialog could not be used.

    Args:
        place: where its own work stands; None if it was closed.
    """
    _session().dialog = place


def made(step: Step, progress: Progress) -> Any:
    """The result of a step, which is kept for all."""
    if not step.is_kept:
        return step.task(progress)
    return cache.results.made(step.key, partial(step.task, progress))


def again() -> None:
    """Run the fragment or the page again, to see how far the work is."""
    try:
        st.rerun(scope="fragment")
    except StreamlitAPIException:  # this run was not of a fragment alone
        st.rerun()


def _run(step: Step, job: queue.Job) -> None:
    found = made(step, job)
    del found  # it is in the cache
    if step.pace is not None:
        durations.paces().note(step.pace, job.seconds, job.total)


def _problem(step: Step, job: queue.Job) -> Exception | None:
    """The reason why work that has ended has no result, if it was not stopped."""
    if job.error is None and step.is_kept and cache.results.get(step.key) is None:
        return VitvizError(f"The result is larger than what this server keeps; let it keep more ({cache.VARIABLE}).")
    return job.error if isinstance(job.error, Exception) else None


def _session() -> _Session:
    return st.session_state.setdefault(KEY, _Session())


def _begin(place: str, name: str) -> None:
    _session().begins = place, name


def _stop(key: tuple, keys: Sequence[tuple], place: str, jobs: Callable[[], queue.Jobs]) -> None:
    """Ask for work no more. What is done is kept; what is running ends at its next report."""
    session = _session()
    session.asked.discard(key)
    session.stopped.add(key)
    session.said[key] = None
    jobs().leave(keys, queue.who_asks(place))


def _keys(work: Work) -> list[tuple]:
    return [step.key for step in work.steps]


def _in_order(asked: Sequence[Request]) -> list[tuple[Request, Step]]:
    """All steps with what they belong to: first the coarse results of everything, then finer ones."""
    rounds = zip_longest(*([(one, step) for step in one.work.steps] for one in asked))
    return [found for of_round in rounds for found in of_round if found is not None]


def _takes(work: Work) -> str:
    """Expected duration, in words."""
    if work.steps[0].seconds is None:
        return ""
    seconds = sum(step.seconds or 0 for step in work.steps)
    return f"Takes {durations.format_duration(seconds)} on this server{work.detail and f': {work.detail}'}."


def _draw(asked: Request, step: Step, job: queue.Job, jobs: queue.Jobs) -> None:
    """How far the work is, or how long it waits for its turn."""
    if not job.has_begun:
        words = durations.queue_position(jobs.ahead(job))
        words = f"{step.words}. {words}" if step.words else words
    elif step.say is not None:
        words = step.say(job)
    else:
        left = max(0.0, (step.seconds or 0.0) - job.seconds) if job.seconds_left is None else job.seconds_left
        left += sum(other.seconds or 0.0 for other in asked.work.steps[1:])
        words = f"{step.words and f'{step.words}: '}{durations.format_duration(left)} left"
    asked.bar.progress(min(1.0, job.done / job.total) if job.total else 0.0, words)
