"""Slow work of the page "Explain": begun once, watched by many, ended when nobody watches, kept for all."""

import threading

import pytest

from vitviz.ui.app import jobs, waits


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


def test_an_error_belongs_to_those_who_wait():
    job = jobs.Jobs().join(("a",), lambda report: 1 / 0)
    assert job.watch(60)
    assert isinstance(job.error, ZeroDivisionError)


def test_work_goes_on_for_whoever_is_on_another_page_and_ends_when_they_have_gone():
    here, go = {"me"}, threading.Semaphore(0)
    every, reports = jobs.Jobs(patience=0, is_here=here.__contains__), []

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
    every = jobs.Jobs(patience=1000, is_here=lambda _: True)

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
    every = jobs.Jobs(patience=1000, is_here=lambda _: True)
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
    assert waits.about(seconds) == f"about {words}".replace(words, words.replace(" ", "\u00a0"))
