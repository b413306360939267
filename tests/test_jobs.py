"""Slow work of the page "Explain": begun once, watched by many, ended when nobody watches, kept for all."""

import threading

import pytest

from vitviz.ui.explain import jobs, store


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


def test_what_is_asked_for_least_is_forgotten_first():
    kept = store.Store(most=2)
    for name in "ab":
        kept.put((name,), name)
    assert kept.get(("a",)) == "a"
    kept.put(("c",), "c")
    assert [kept.get((name,)) for name in "abc"] == ["a", None, "c"]
