"""Background jobs on a page: a start and stop button, the estimated duration, and a progress bar.

A page describes its work, draws the button with `start_button`, and calls `watch` once at its end. For a section with a
single result, `result` does both, and the page does not run again while it waits. A request stays active until the user
stops it, whichever page they are on. Results are stored in `cache.results` for all users.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import zip_longest
from typing import Any, NoReturn

import streamlit as st
from streamlit.delta_generator import DeltaGenerator
from streamlit.errors import StreamlitAPIException

from ....errors import VitvizError
from ....errors.progress import Progress
from ....notation.variables import CACHE_MB
from .. import cache
from ..messages import escape_markdown, show_errors
from . import durations, queue

GLANCE = 0.8  # seconds between two progress updates in a fragment
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
        help: tooltip of the start button.
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
    help: str = ""
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


Joined = tuple[Work, Step, queue.Job]


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
    """Draw a button that starts work, or stops it if it was requested, with a progress bar.

    Args:
        work: work to offer.
        below: container of the progress bar and messages; by default, below the button.

    Returns:
        Request for `watch`, if the work was requested and is not done.
    """
    place = _offer(work, below)
    return [] if place is None else [Request(work, place.progress(0.0))]


def watch(place: str, requests: Sequence[Request], in_fragment: bool = False) -> None:
    """Wait until a step ends, and then run again. The other steps continue, on any page.

    Args:
        place: place in the app.
        requests: all requests of this place.
        in_fragment: whether this is called in a fragment. There, Streamlit delays clicks until the run ends, so the
            fragment is run again after a moment. In a page, a click ends the run.
    """
    joined = _join(place, [one.work for one in requests])
    if not joined:
        return
    while not _have_ended(joined):
        for one in requests:
            step, job = next((step, job) for work, step, job in joined if work is one.work)
            _draw(one, step, job)
        if _session().dialog not in (None, place):
            return
        joined[0][2].watch(GLANCE if in_fragment else SHORT_GLANCE)
        for _, _, job in joined:
            job.watch()
        if in_fragment and not _have_ended(joined):
            again()
    _end(place, joined)


def result(work: Work, step: Callable[[], Step], draw_part: Callable[[Any], None] | None = None) -> Any:
    """Return the result of work with one step; None until it is requested and done.

    The progress is drawn in a fragment of its own, which runs repeatedly and needs nothing else. The page runs again
    when the work has ended. Otherwise, many users who wait would compute again and again what their pages show, because
    it does not all fit into the cache.

    Args:
        work: work to offer, without its step. Its key is that of the result.
        step: function that creates the step, called if there is no result yet.
        draw_part: function that draws a partial result.
    """
    stored = cache.results.get(work.key)
    if stored is None:
        work = replace(work, steps=[step()])
    place = _offer(work)
    joined = _join(work.place, [] if place is None else [work])
    if joined:
        ((_, one, job),) = joined
        if not job.has_ended:
            with place:
                _progress(work, one, job, draw_part)
        if _session().dialog in (None, work.place) and job.watch(GLANCE):  # most work is done by then
            _end(work.place, joined)
    return stored


@st.fragment(run_every=GLANCE)
@show_errors()
def _progress(work: Work, step: Step, job: queue.Job, draw_part: Callable[[Any], None] | None) -> None:
    """Draw the progress of a job and its partial result, and run the page once it has ended."""
    _draw(Request(work, st.progress(0.0)), step, job)
    if draw_part is not None and job.part is not None:
        draw_part(job.part)
    if job.has_ended and _session().dialog in (None, work.place):
        if job.error is None:  # otherwise, the page gets the job once more, and notes its error
            _note_problems(work.place, [(work, step, job)])
        st.rerun()


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


def _offer(work: Work, below: DeltaGenerator | None = None) -> DeltaGenerator | None:
    """Draw the button and messages. Return the place of the progress bar if the work was requested and is not done.

    One button is used for start and stop, because Streamlit shows a removed element until the end of the run, which may
    wait for the work.
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
            help=None if requested else work.help or None,
            on_click=partial(_stop, work.key, _keys(work), work.place, work.jobs)
            if requested
            else partial(_begin, work.place, work.name),
        )
    place = here if below is None else below
    with place:
        if problem:
            st.error(escape_markdown(problem))
        if work.steps and not requested:
            stopped = has_stopped and not problem and not work.keeps_parts
            texts = ["Stopped; partial results are discarded." if stopped else "", _format_duration(work)]
            if any(texts):
                st.caption(" ".join(filter(None, texts)))
    return place if work.steps and requested else None


def _join(place: str, works: Sequence[Work]) -> list[Joined]:
    """Return the jobs of all steps, in the order in which they run. Jobs of other work of this place are left."""
    session = _session()
    if session.begins is not None and session.begins[0] == place:  # the clicked button is no longer shown
        session.begins = None
    if not works:
        return []
    jobs, waiter = works[0].jobs(), queue.current_waiter(place)
    steps = _in_order(works)
    jobs.wait_only_for([step.key for _, step in steps], waiter)
    return [(work, step, jobs.join(step.key, partial(_run, step), waiter)) for work, step in steps]


def _have_ended(joined: Sequence[Joined]) -> bool:
    """Return True if a job has ended, after which the page runs again."""
    return any(job.has_ended for _, _, job in joined)


def _end(place: str, joined: Sequence[Joined]) -> NoReturn:
    """Note the problems of jobs that have ended, and run the page again."""
    for problem in _note_problems(place, joined):
        if not isinstance(problem, VitvizError):
            raise problem
    again()


def _note_problems(place: str, joined: Sequence[Joined]) -> list[Exception]:
    """Withdraw the requests of jobs that have ended without a result, so that they are not tried again."""
    problems = []
    for work, step, job in joined:
        problem = _problem(step, job) if job.has_ended else None
        if problem is not None:
            _stop(work.key, _keys(work), place, work.jobs)
            _session().outcomes[work.key] = str(problem) if isinstance(problem, VitvizError) else None
            problems.append(problem)
    return problems


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


def _in_order(works: Sequence[Work]) -> list[tuple[Work, Step]]:
    """Return all steps with their work: first the coarse steps of all works, then the finer ones."""
    rounds = zip_longest(*([(work, step) for step in work.steps] for work in works))
    return [pair for of_round in rounds for pair in of_round if pair is not None]


def _format_duration(work: Work) -> str:
    """Format the expected duration."""
    if work.steps[0].seconds is None:
        return ""
    seconds = sum(step.seconds or 0 for step in work.steps)
    return f"Takes {durations.format_duration(seconds)} on this server{work.detail and f': {work.detail}'}."


def _draw(request: Request, step: Step, job: queue.Job) -> None:
    """Update the progress bar with the progress or the position in the queue."""
    if not job.has_begun:
        text = durations.queue_position(request.work.jobs().ahead(job))
        text = f"{step.label}. {text}" if step.label else text
    elif step.describe is not None:
        text = step.describe(job)
    else:
        left = max(0.0, (step.seconds or 0.0) - job.seconds) if job.seconds_left is None else job.seconds_left
        left += sum(other.seconds or 0.0 for other in request.work.steps[1:])
        text = f"{step.label and f'{step.label}: '}{durations.format_duration(left)} left"
    request.bar.progress(min(1.0, job.done / job.total) if job.total else 0.0, text)
