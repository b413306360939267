"""Background jobs on a page: a start and stop button, the estimated duration, and a progress bar.

A page describes its work, draws the button with `start_button`, and calls `watch` once at its end. For a section of a
fragment with a single result, `result` does both. A request stays active until the user stops it, whichever page they
are on. Results are stored in `cache.results` for all users.
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
from ....notation.variables import CACHE_MB
from .. import cache
from ..messages import escape_markdown
from . import durations, queue

GLANCE = 0.8  # seconds between two progress updates in a fragment; each is a run of the fragment
SHORT_GLANCE = 0.2  # seconds between two progress updates in a page, within one run
KEY = "slow_work"  # key in the session


@dataclass(frozen=True)
class Step:
    """Step of some work, with a coarse or the final result.

    Attributes:
        key: key of the result, shared by all users.
        task: function that computes the result. It runs in any thread and must not use the page. Its argument is the
            job, to which it reports progress, and whose `part` it may set to a partial result.
        seconds: expected duration; None if unknown.
        label: name of the step, if there are several.
        pace: key of the pace, see `durations.Paces`; None if the task records it itself.
        describe: function that describes the progress of the job; by default, the remaining time.
        is_kept: whether the result is stored in `cache.results`.
    """

    key: tuple
    task: queue.Task
    seconds: float | None = None
    label: str = ""
    pace: tuple | None = None
    describe: Callable[[queue.Job], str] | None = None
    is_kept: bool = True


@dataclass(frozen=True)
class Work:
    """Work that a user can request.

    Attributes:
        key: key of the work in the session.
        place: place in the app, such as a section of a page. A request at a place ends the waiting for earlier work
            of the same place that is no longer shown.
        name: key of the button in the session.
        label: label of the start button.
        steps: remaining steps, coarse results first; empty if the work is done.
        width: width of the button.
        detail: text after the expected duration.
        keeps_parts: whether partial results are kept when the work is stopped.
        autostart: whether the work starts without a click, unless the user has stopped it before.
        jobs: function that returns the job queue.
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
    """Unfinished work requested by the user.

    Attributes:
        work: requested work.
        bar: progress bar.
    """

    work: Work
    bar: DeltaGenerator


@dataclass
class _Session:
    """Requests of a session.

    Attributes:
        requested: keys of requested work, done or not.
        stopped: keys of work that was stopped or has failed.
        outcomes: error message of work that has just failed, or None for work that was stopped; shown once.
        begins: place and name of the clicked button, until it is drawn again. The settings may have changed since the
            button was drawn; the work starts with the current ones.
        dialog: place of the open dialog; None if there is none.
    """

    requested: set[tuple] = field(default_factory=set)
    stopped: set[tuple] = field(default_factory=set)
    outcomes: dict[tuple, str | None] = field(default_factory=dict)
    begins: tuple[str, str] | None = None
    dialog: str | None = None


def start_button(work: Work, below: DeltaGenerator | None = None) -> list[Request]:
    """Draw a button that starts work, or stops it if it was requested.

    One button is used for both, because Streamlit shows a removed element until the end of the run, which waits for the
    work.

    Args:
        work: work to offer.
        below: container of the progress bar and messages; by default, below the button.

    Returns:
        Request for `watch`, if the work was requested and is not done.
    """
    session, here = _session(), st.container()  # fixed position, so that following elements do not move
    if session.begins == (work.place, work.name):
        session.begins = None
        session.requested.add(work.key)
        session.stopped.discard(work.key)
    has_stopped, problem = work.key in session.outcomes, session.outcomes.pop(work.key, None)
    requested = is_requested(work)
    if work.steps:
        here.button(
            "Stop" if requested else work.label,
            icon=":material/stop_circle:" if requested else None,
            key=work.name,
            width=work.width,
            on_click=partial(_stop, work.key, _keys(work), work.place, work.jobs)
            if requested
            else partial(_begin, work.place, work.name),
        )
    with here if below is None else below:
        if problem:
            st.error(escape_markdown(problem))
        if work.steps and requested:
            return [Request(work, st.progress(0.0))]
        if work.steps:
            stopped = has_stopped and not problem and not work.keeps_parts
            texts = ["Stopped; partial results are discarded." if stopped else "", _format_duration(work)]
            if any(texts):
                st.caption(" ".join(filter(None, texts)))
    return []


def watch(place: str, requests: Sequence[Request], in_fragment: bool = False) -> None:
    """Wait until a step ends, and then run again. The other steps continue, on any page.

    Args:
        place: place in the app.
        requests: all requests of this place.
        in_fragment: whether this is called in a fragment. There, Streamlit delays clicks until the run ends, so the
            fragment is run again after a moment. In a page, a click ends the run.
    """
    session = _session()
    if session.begins is not None and session.begins[0] == place:  # the clicked button is no longer shown
        session.begins = None
    if not requests:
        return
    jobs, waiter = requests[0].work.jobs(), queue.current_waiter(place)
    steps = _in_order(requests)
    jobs.wait_only_for([step.key for _, step in steps], waiter)
    joined = [(one, step, jobs.join(step.key, partial(_run, step), waiter)) for one, step in steps]
    while not any(job.has_ended for _, _, job in joined):
        for one in requests:
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
        if problem is not None:  # do not try again
            _stop(work.key, _keys(work), place, work.jobs)
            session.outcomes[work.key] = str(problem) if isinstance(problem, VitvizError) else None
    for _, problem in problems:
        if problem is not None and not isinstance(problem, VitvizError):
            raise problem
    again()


def result(work: Work, step: Callable[[], Step], draw_part: Callable[[Any], None] | None = None) -> Any:
    """Return the result of work with one step, in a fragment; None until it is requested.

    While the requested work is running, the fragment is run again repeatedly, and this function does not return.

    Args:
        work: work to offer, without its step. Its key is that of the result.
        step: function that creates the step, called if there is no result yet.
        draw_part: function that draws a partial result.
    """
    stored = cache.results.get(work.key)
    requests = start_button(work if stored is not None else replace(work, steps=[step()]))
    part = work.jobs().part(work.key) if requests and draw_part is not None else None
    if part is not None:
        draw_part(part)
    watch(work.place, requests, in_fragment=True)
    return stored


def is_requested(work: Work) -> bool:
    """Return True if this session has requested this work, done or not."""
    session = _session()
    return work.key in session.requested or (work.autostart and work.key not in session.stopped)


def forget(key: tuple) -> None:
    """Withdraw a request without stopping a running job."""
    _session().requested.discard(key)


def set_dialog(place: str | None) -> None:
    """Set the open dialog. Meanwhile, the page below does not wait for its jobs, which would block the dialog.

    Args:
        place: place of the dialog's own work; None if the dialog was closed.
    """
    _session().dialog = place


def compute(step: Step, progress: Progress) -> Any:
    """Return the result of a step, and store it for all users."""
    if not step.is_kept:
        return step.task(progress)
    return cache.results.get_or_compute(step.key, partial(step.task, progress))


def again() -> None:
    """Run the fragment or the page again, to update the progress."""
    try:
        st.rerun(scope="fragment")
    except StreamlitAPIException:  # not a run of a fragment
        st.rerun()


def _run(step: Step, job: queue.Job) -> None:
    compute(step, job)
    if step.pace is not None:
        durations.paces().note(step.pace, job.seconds, job.total)


def _problem(step: Step, job: queue.Job) -> Exception | None:
    """Return the reason why a job that has ended has no result; None if it has one or was stopped."""
    if job.error is None and step.is_kept and cache.results.get(step.key) is None:
        return VitvizError(f"The result is too large for this server's cache; increase {CACHE_MB.name}.")
    return job.error if isinstance(job.error, Exception) else None


def _session() -> _Session:
    return st.session_state.setdefault(KEY, _Session())


def _begin(place: str, name: str) -> None:
    _session().begins = place, name


def _stop(key: tuple, keys: Sequence[tuple], place: str, jobs: Callable[[], queue.Jobs]) -> None:
    """Stop work. Finished steps are kept; a running job ends at its next report."""
    session = _session()
    session.requested.discard(key)
    session.stopped.add(key)
    session.outcomes[key] = None
    jobs().leave(keys, queue.current_waiter(place))


def _keys(work: Work) -> list[tuple]:
    return [step.key for step in work.steps]


def _in_order(requests: Sequence[Request]) -> list[tuple[Request, Step]]:
    """Return all steps with their requests: first the coarse steps of all requests, then the finer ones."""
    rounds = zip_longest(*([(one, step) for step in one.work.steps] for one in requests))
    return [pair for of_round in rounds for pair in of_round if pair is not None]


def _format_duration(work: Work) -> str:
    """Format the expected duration."""
    if work.steps[0].seconds is None:
        return ""
    seconds = sum(step.seconds or 0 for step in work.steps)
    return f"Takes {durations.format_duration(seconds)} on this server{work.detail and f': {work.detail}'}."


def _draw(request: Request, step: Step, job: queue.Job, jobs: queue.Jobs) -> None:
    """Update the progress bar with the progress or the position in the queue."""
    if not job.has_begun:
        text = durations.queue_position(jobs.ahead(job))
        text = f"{step.label}. {text}" if step.label else text
    elif step.describe is not None:
        text = step.describe(job)
    else:
        left = max(0.0, (step.seconds or 0.0) - job.seconds) if job.seconds_left is None else job.seconds_left
        left += sum(other.seconds or 0.0 for other in request.work.steps[1:])
        text = f"{step.label and f'{step.label}: '}{durations.format_duration(left)} left"
    request.bar.progress(min(1.0, job.done / job.total) if job.total else 0.0, text)
