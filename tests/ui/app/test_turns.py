"""Turns at the processor: what a visitor looks for goes first, and slow work gives way between its passes."""

import threading

import pytest
import torch

from vitviz import edit
from vitviz.ui.app.jobs.queue import Jobs
from vitviz.ui.app.turns import Turns, one_at_a_time


def waiting(turns: Turns) -> int:
    return len(turns._waiting)


def until(holds) -> None:
    for _ in range(6000):
        if holds():
            return
        threading.Event().wait(0.01)
    raise AssertionError("this never came to hold")


def test_who_looks_goes_before_slow_work_and_each_in_order():
    turns, went, threads = Turns(), [], []

    def slow(name):
        with turns.later():
            went.append(name)

    def quick(name):
        with turns:
            went.append(name)

    with turns:
        for act, name in ((slow, "sweep 1"), (slow, "sweep 2"), (quick, "map 1"), (quick, "map 2")):
            threads.append(threading.Thread(target=act, args=(name,)))
            threads[-1].start()
            until(lambda: waiting(turns) == len(threads))
    for thread in threads:
        thread.join()
    assert went == ["map 1", "map 2", "sweep 1", "sweep 2"]


def test_first_pictures_go_before_the_rest_of_a_page_and_of_them_that_of_the_page_that_began_first():
    turns, went, threads = Turns(), [], []
    arrived = {name: threading.Event() for name in ("early", "late")}

    def page(name):
        turns.arrive()
        arrived[name].set()
        until(lambda: len(threads) == 3)
        with turns.first():
            went.append(f"{name} map")
        with turns:
            went.append(f"{name} rest")

    def rest():
        with turns:
            went.append("another page's rest")

    with turns:
        for name in ("early", "late"):
            threads.append(threading.Thread(target=page, args=(name,)))
            threads[-1].start()
            assert arrived[name].wait(60)
        threads.append(threading.Thread(target=rest))
        threads[-1].start()
        until(lambda: waiting(turns) == 3)
    for thread in threads:
        thread.join()
    assert went[:2] == ["early map", "late map"]


def test_slow_work_waits_until_nobody_has_asked_for_a_moment(monkeypatch):
    turns, went = Turns(), []
    monkeypatch.setattr("vitviz.ui.app.turns.QUIET", 3600)

    def sweep():
        with turns.later():
            went.append("sweep")

    with turns:
        thread = threading.Thread(target=sweep)
        thread.start()
        until(lambda: waiting(turns) == 1)
        went.append("trace")
    threading.Event().wait(0.1)  # a page draws before it asks for more
    assert went == ["trace"]
    monkeypatch.setattr("vitviz.ui.app.turns.QUIET", 0)
    with turns:
        went.append("rest")
    thread.join(60)
    assert went == ["trace", "rest", "sweep"]


def test_slow_work_has_a_turn_in_the_end_however_many_come(monkeypatch):
    turns, done = Turns(), threading.Event()
    monkeypatch.setattr("vitviz.ui.app.turns.PATIENCE", 0.2)
    monkeypatch.setattr("vitviz.ui.app.turns.QUIET", 0.05)

    def sweep():
        with turns.later():
            done.set()

    def visitors():
        while not done.is_set():
            with turns:
                threading.Event().wait(0.01)

    threads = [threading.Thread(target=act) for act in (visitors, visitors, sweep)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert done.is_set()


def test_slow_work_that_has_waited_for_long_keeps_its_turn_for_a_moment(monkeypatch):
    turns, went = Turns(), []
    monkeypatch.setattr("vitviz.ui.app.turns.PATIENCE", 0)
    monkeypatch.setattr("vitviz.ui.app.turns.QUIET", 0.01)
    monkeypatch.setattr("vitviz.ui.app.turns.SLICE", 3600)

    def look():
        with turns:
            went.append("map")

    def sweep():
        with turns.later():
            other = threading.Thread(target=look)
            other.start()
            until(lambda: waiting(turns) == 1)
            turns.give_way()
            went.append("block")
        other.join()

    with turns:
        job = threading.Thread(target=sweep)
        job.start()
        until(lambda: turns._waiting and turns._waiting[0][0] == 0)  # it is promoted
    job.join(60)
    assert went == ["block", "map"]


def test_slow_work_gives_way_between_its_passes():
    turns, went = Turns(), []

    def look():
        with turns:
            went.append("map")

    with turns.later():
        thread = threading.Thread(target=look)
        thread.start()
        until(lambda: waiting(turns) == 1)
        went.append("pass 1")
        turns.give_way()
        went.append("pass 2")
    thread.join()
    assert went == ["pass 1", "map", "pass 2"]


def test_a_turn_may_be_taken_again_by_who_has_it_and_is_given_back_after_an_error():
    turns = Turns()

    def fail():
        with turns, turns.later():
            turns.give_way()
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        fail()
    thread = threading.Thread(target=turns.__enter__)
    thread.start()
    thread.join(60)
    assert not thread.is_alive()


def test_who_has_left_while_waiting_gives_the_turn_to_the_next():
    class GoneError(BaseException):
        pass

    here, went, threads = {"second"}, [], []

    def check():
        if threading.current_thread().name not in {*here, "MainThread"}:
            raise GoneError

    def look():
        try:
            with turns:
                went.append(threading.current_thread().name)
        except GoneError:
            went.append("nobody")

    turns = Turns(check=check)
    with turns:
        for name in ("first", "second"):
            threads.append(threading.Thread(target=look, name=name))
            threads[-1].start()
            until(lambda: waiting(turns) == len(threads))
    for thread in threads:
        thread.join(60)
    assert went == ["nobody", "second"]


def test_a_job_gives_way_between_the_blocks_of_a_pass(small):
    went, begun, asked = [], threading.Event(), threading.Event()

    def note(x):
        if not went:
            begun.set()
            asked.wait(60)
            until(lambda: waiting(one_at_a_time) == 1)
        went.append("block")
        return x

    def task(_progress):
        with edit({"blocks.*.resid_post": note}):
            small.trace(torch.zeros(3, 32, 48))

    def look():
        asked.set()
        with one_at_a_time:
            went.append("map")

    job = Jobs(patience=600).join(("a",), task)
    assert begun.wait(60)
    thread = threading.Thread(target=look)
    thread.start()
    assert job.watch(60)
    thread.join(60)
    assert job.error is None
    assert went == ["block", "map", "block", "block"]


def test_a_job_gives_way_whenever_it_reports():
    went, begun, asked = [], threading.Event(), threading.Event()

    def task(progress):
        begun.set()
        asked.wait(60)
        until(lambda: waiting(one_at_a_time) == 1)
        went.append("pass 1")
        progress(1, 2)
        went.append("pass 2")

    def look():
        asked.set()
        with one_at_a_time:
            went.append("map")

    job = Jobs(patience=600).join(("a",), task)
    begun.wait(60)
    thread = threading.Thread(target=look)
    thread.start()
    assert job.watch(60)
    thread.join()
    assert went == ["pass 1", "map", "pass 2"]
    assert job.error is None


def test_slow_work_goes_on_together_if_it_may_and_whoever_looks_goes_before_all_of_it():
    turns, went, together = Turns(slow=2), [], threading.Barrier(2)

    def slow():
        with turns.later():
            together.wait(60)  # both have the turn
            until(lambda: waiting(turns) >= 1)
            turns.give_way()
            went.append("pass")

    def look():
        with turns:
            went.append("map")

    threads = [threading.Thread(target=slow) for _ in range(2)]
    for thread in threads:
        thread.start()
    until(lambda: len(turns._owners) == 2)
    threads.append(threading.Thread(target=look))
    threads[-1].start()
    for thread in threads:
        thread.join(60)
    assert went == ["map", "pass", "pass"]
