"""The queue of slow work: begun once, watched by many, ended when nobody watches, shared out among sessions."""

import threading
from contextlib import nullcontext

import pytest
import torch

from vitviz import edit
from vitviz.errors import VitvizError
from vitviz.notation.variables import JOBS
from vitviz.ui.app.jobs import durations
from vitviz.ui.app.jobs import queue as jobs


def test_who_asks_for_the_same_work_waits_for_the_same_job():
    every, begin = jobs.Jobs(), threading.Event()
    first = every.join(("a",), lambda report: begin.wait())
    assert every.join(("a",), lambda report: pytest.fail("begun twice")) is first
    assert every.join(("b",), lambda report: None) is not first
    begin.set()
    assert first.watch(60)
    assert first.error is None


def test_work_that_nobody_watches_ends():
    every, left = jobs.Jobs(patience=0), threading.Event()

    def task(report):
        left.wait()
        report(1, 2)

    job = every.join(("a",), task)
    left.set()
    assert job._ended.wait(60)
    assert isinstance(job.error, jobs.AbandonedError)
    assert job.done == 0


def test_work_that_reports_nothing_ends_in_the_middle_of_a_pass(small):
    here, begun, left, blocks = {"me"}, threading.Event(), threading.Event(), []

    def note(x):
        blocks.append(1)
        begun.set()
        left.wait(60)
        return x

    def task(_report):
        with edit({"blocks.*.resid_post": note}):
            small.trace(torch.zeros(3, 32, 48))

    job = jobs.Jobs(patience=0, is_connected=here.__contains__).join(("a",), task, ("me", "explain"))
    assert begun.wait(60)
    here.clear()
    left.set()
    assert job._ended.wait(60)
    assert isinstance(job.error, jobs.AbandonedError)
    assert len(blocks) == 1


def test_who_comes_back_within_the_patience_joins_the_same_job():
    here, go = {"before"}, threading.Semaphore(0)

    def task(report):
        for done in range(1, 3):
            go.acquire()
            report(done, 2)

    every = jobs.Jobs(patience=600, is_connected=here.__contains__)
    job = every.join(("a",), task, ("before", "explain"))
    here.clear()  # a reload ends the session
    go.release()
    assert not job._ended.wait(0.1)
    here.add("after")
    assert every.join(("a",), lambda report: pytest.fail("begun again"), ("after", "explain")) is job
    go.release()
    assert job.watch(60)
    assert job.error is None


def test_an_error_belongs_to_those_who_wait():
    job = jobs.Jobs().join(("a",), lambda report: 1 / 0)
    assert job.watch(60)
    assert isinstance(job.error, ZeroDivisionError)


def test_work_goes_on_for_whoever_is_on_another_page_and_ends_when_they_have_gone():
    here, go = {"me"}, threading.Semaphore(0)
    every, reports = jobs.Jobs(patience=0, is_connected=here.__contains__), []

    def task(report):
        for done in range(1, 4):
            go.acquire()
            report(done, 3)
            reports.append(done)

    job = every.join(("a",), task, ("me", "explain"))
    every.wait_only_for([], ("me", "intervene"))
    every.wait_only_for([], ("you", "explain"))
    go.release()
    while len(reports) < 1:
        assert not job._ended.wait(0.01), "it was abandoned while somebody waited for it"
    assert every.join(("a",), lambda report: pytest.fail("begun again"), ("me", "explain")) is job
    here.clear()
    go.release()
    assert job._ended.wait(60)
    assert isinstance(job.error, jobs.AbandonedError)
    assert reports == [1]


def test_what_is_taken_back_ends_though_its_visitor_is_there_unless_somebody_else_waits():
    go = threading.Semaphore(0)
    every = jobs.Jobs(patience=1000, is_connected=lambda _: True)

    def task(report):
        go.acquire()
        report(1, 2)

    mine, ours = (every.join((name,), task, ("me", "explain")) for name in ("mine", "ours"))
    every.join(("ours",), task, ("you", "explain"))
    every.wait_only_for([], ("me", "explain"))
    go.release(2)
    assert mine._ended.wait(60)
    assert ours.watch(60)
    assert isinstance(mine.error, jobs.AbandonedError)
    assert ours.error is None


def test_the_time_that_is_left_follows_from_the_time_it_took():
    begun, go = threading.Event(), threading.Event()

    def task(report):
        report(1, 4)
        begun.set()
        go.wait()

    every = jobs.Jobs()
    job = every.join(("a",), task)
    assert begun.wait(60)
    before, left, after = job.seconds, job.seconds_left, job.seconds
    assert 3 * before <= left <= 3 * after
    go.set()
    assert job.watch(60)
    assert job.seconds == job.seconds


def test_how_many_come_before_is_told_without_those_that_nobody_waits_for():
    go, begun = threading.Event(), threading.Event()
    every = jobs.Jobs(patience=1000, is_connected=lambda _: True)
    first = every.join(("first",), lambda report: begun.set() or go.wait(), ("me", "explain"))
    assert begun.wait(60)
    second, third = (every.join((name,), lambda report: None, (name, "explain")) for name in ("second", "third"))
    assert [every.ahead(job) for job in (first, second, third)] == [0, 1, 2]
    every.wait_only_for([], ("second", "explain"))
    assert every.ahead(third) == 1
    go.set()
    assert third.watch(60)
    assert every.ahead(third) == 0


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.01, "1 s"), (3.2, "4 s"), (10, "10 s"), (11, "15 s"), (76, "80 s"), (126, "2 min")]
)
def test_a_wait_is_said_in_round_numbers(seconds, words):
    assert durations.format_duration(seconds) == f"about {words}".replace(words, words.replace(" ", "\u00a0"))


def test_sessions_take_turns_however_much_one_of_them_asks_for():
    go, begun, went = threading.Event(), threading.Event(), []
    every = jobs.Jobs(patience=1000, is_connected=lambda _: True)
    every.join(("first",), lambda report: begun.set() or go.wait(), ("somebody", "explain"))
    assert begun.wait(60)

    def join(name, *sessions):
        for session in sessions:
            job = every.join((name,), lambda report: went.append(name), (session, "explain"))
        return job

    asked = [join(name, "greedy") for name in ("greedy 1", "greedy 2", "greedy 3")]
    asked += [join("modest", "modest"), join("shared", "greedy", "third")]
    assert [every.ahead(job) for job in asked] == [1, 4, 5, 2, 3]
    go.set()
    assert all(job.watch(60) for job in asked)
    assert went == ["greedy 1", "modest", "shared", "greedy 2", "greedy 3"]


def test_as_much_goes_on_at_once_as_may():
    go, both = threading.Event(), threading.Barrier(3)
    every = jobs.Jobs(2, patience=1000, is_connected=lambda _: True, turn=nullcontext)

    def task(report):
        both.wait(60)
        go.wait(60)

    first, second = (every.join((name,), task, (name, "explain")) for name in ("first", "second"))
    both.wait(60)
    third, fourth = (every.join((name,), lambda report: None, (name, "explain")) for name in ("third", "fourth"))
    assert [every.ahead(job) for job in (first, second, third, fourth)] == [0, 0, 1, 2]
    assert not third.has_begun
    go.set()
    assert all(job.watch(60) for job in (first, second, third, fourth))


def test_how_much_goes_on_at_once_is_a_setting(monkeypatch):
    monkeypatch.delenv(JOBS.name, raising=False)
    assert jobs.most_at_once() == 1
    monkeypatch.setenv(JOBS.name, "3")
    assert jobs.most_at_once() == 3
    for wrong in ("0", "many", "-1", "1.5"):
        monkeypatch.setenv(JOBS.name, wrong)
        with pytest.raises(VitvizError, match=JOBS.name):
            jobs.most_at_once()


def test_a_failure_is_told_to_each_who_waited_and_then_work_can_begin_anew():
    go = threading.Event()
    every = jobs.Jobs(patience=1000, is_connected=lambda _: True)
    failed = every.join(("a",), lambda report: go.wait() and 1 / 0, ("me", "explain"))
    every.join(("a",), lambda report: None, ("you", "explain"))
    go.set()
    assert failed.watch(60)
    assert every.join(("a",), lambda report: None, ("me", "explain")) is failed
    assert every.join(("a",), lambda report: None, ("you", "explain")) is failed
    again = every.join(("a",), lambda report: None, ("me", "explain"))
    assert again.watch(60)
    assert again.error is None
