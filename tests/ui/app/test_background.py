"""Asking for slow work on a page, and watching it: a made-up page with one piece of work, without a browser."""

import threading

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from vitviz.errors import VitvizError
from vitviz.ui.app import cache
from vitviz.ui.app.jobs import background, queue


@pytest.fixture(autouse=True)
def nothing_is_known():
    cache.clear()


def script(task, autostart):
    from functools import partial

    import streamlit as st

    from vitviz.ui.app.jobs import background

    chosen = st.selectbox("Chosen", ["first", "second"], key="chosen")
    key = ("made up", chosen)
    work = background.Work(key, "made up", "run", "Run", autostart=autostart)
    step = partial(background.Step, key, partial(task, chosen), 1.0)
    found = background.result(work, step, lambda part: st.markdown(f"so far {part}"))
    if found is not None:
        st.markdown(f"found {found}")


def page(task, autostart: bool = False) -> AppTest:
    return AppTest.from_function(script, default_timeout=240, args=(task, autostart)).run()


def said(app: AppTest) -> list[str]:
    assert not app.exception
    return [element.value for element in app.markdown]


def click(app: AppTest) -> AppTest:
    return app.button(key="run").click().run()


class Slow:
    """A task that goes on when it is told to, and counts how often it was begun."""

    def __init__(self):
        self.begun, self.go, self.runs = threading.Event(), threading.Event(), []

    def __call__(self, chosen, job):
        self.runs.append(chosen)
        job.part = "half"
        job(1, 2)
        self.begun.set()
        assert self.go.wait(60)
        job(2, 2)
        return chosen


@pytest.fixture
def slow(monkeypatch):
    """Work that is under way; a run of a page looks once how far it is, and ends."""
    monkeypatch.setattr(background, "again", st.stop)
    task = Slow()
    yield task
    task.go.set()


def job_of(chosen: str) -> queue.Job:
    return queue.shared()._jobs["made up", chosen]


def test_work_is_done_when_it_is_asked_for_and_not_computed_again():
    runs = []
    app = page(lambda chosen, job: runs.append(chosen) or chosen)
    assert not runs
    assert said(click(app)) == ["found first"]
    assert not app.button
    assert said(page(lambda *_: pytest.fail("computed again"))) == ["found first"]
    assert runs == ["first"]


def test_two_sessions_that_ask_for_the_same_share_one_job_and_what_it_has_found_so_far(slow):
    first, second = page(slow), page(lambda *_: pytest.fail("begun twice"))
    click(first)
    assert slow.begun.wait(60)
    click(second)
    assert said(second.run()) == said(first.run()) == ["so far half"]
    assert second.button(key="run").label == "Stop"
    job = job_of("first")
    slow.go.set()
    assert job.watch(60)
    assert said(first.run()) == said(second.run()) == ["found first"]
    assert slow.runs == ["first"]


def test_work_that_is_stopped_ends_at_its_next_report_and_can_be_begun_again(slow):
    app = click(page(slow))
    assert slow.begun.wait(60)
    job = job_of("first")
    assert click(app).button(key="run").label == "Run"
    slow.go.set()
    assert job._ended.wait(60)
    assert isinstance(job.error, queue.AbandonedError)
    assert (job.done, job.total) == (1, 2)
    click(app)
    while app.button:  # a run looks only for a moment
        app.run()
    assert said(app) == ["found first"]


def test_what_begins_is_what_is_chosen_when_the_click_arrives(slow):
    slow.go.set()
    app = page(slow)
    app.selectbox(key="chosen").set_value("second")
    click(app)
    assert slow.begun.wait(60)
    assert slow.runs == ["second"]


def test_work_that_fails_says_one_sentence_once():
    def fail(chosen, job):
        raise VitvizError("It cannot be [done](x).")

    app = click(page(fail))
    assert len(app.error) == 1
    assert app.error[0].value.replace("\\", "") == "It cannot be [done](x)."
    assert app.button(key="run").label == "Run"
    assert not app.run().error


def test_work_that_fails_while_nobody_looks_is_said_to_who_comes_back_and_not_tried_again(slow):
    runs = []

    def fail(chosen, job):
        runs.append(chosen)
        assert slow.go.wait(60)
        raise VitvizError("It cannot be done.")

    app = click(page(fail))
    job = job_of("first")
    slow.go.set()
    assert job.watch(60)
    app.run()
    assert [error.value for error in app.run().error] == ["It cannot be done."]
    assert runs == ["first"]


def test_work_that_begins_itself_does_so_until_it_is_stopped(slow):
    app = page(slow, autostart=True)
    assert slow.begun.wait(60)
    assert app.button(key="run").label == "Stop"
    job = job_of("first")
    click(app)
    slow.go.set()
    assert job._ended.wait(60)  # `watch` would keep it going
    assert app.run().button(key="run").label == "Run"
    assert slow.runs == ["first"]
    slow.go.clear()  # else the next one may end before the page looks
    assert click(app).button(key="run").label == "Stop"


def test_a_result_that_is_too_large_to_be_kept_is_not_computed_for_ever(monkeypatch):
    monkeypatch.setattr(cache.results, "most", 10)
    runs = []
    app = click(page(lambda chosen, job: runs.append(chosen) or "x" * 100))
    assert len(app.error) == 1
    assert runs == ["first"]


def test_nor_if_it_ends_while_its_progress_is_drawn(slow, monkeypatch):
    monkeypatch.setattr(cache.results, "most", 10)

    def draw(request, step, job) -> None:
        slow.go.set()
        assert job._ended.wait(60)

    monkeypatch.setattr(background, "_draw", draw)
    app = click(page(lambda chosen, job: slow(chosen, job) or "x" * 100))
    assert len(app.error) == 1
    assert slow.runs == ["first"]


def test_work_goes_on_below_a_dialog_and_the_page_does_not_wait_for_it(slow, monkeypatch):
    app = click(page(slow))
    assert slow.begun.wait(60)
    monkeypatch.setattr(background, "again", lambda: pytest.fail("a dialog could not be used"))
    app.session_state[background.KEY].dialog = "another place"
    assert said(app.run()) == ["so far half"]
    assert app.button(key="run").label == "Stop"
