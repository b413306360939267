"""Forward passes that wait for the processor are merged, and each thread gets its own result."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from tests.ui.app.test_turns import until, waiting
from vitviz import VisionTransformer
from vitviz.images import Geometry, Prepared
from vitviz.ui.app import batches
from vitviz.ui.app.batches import Batches
from vitviz.ui.app.turns import Turns, one_at_a_time


class GoneError(BaseException):
    """The user of a thread has left."""


class Doubling:
    """Work that doubles numbers and records its batches; a negative number is an error."""

    def __init__(self):
        self.passes = []

    def __call__(self, items):
        self.passes.append(list(items))
        if any(item < 0 for item in items):
            raise ValueError(f"negative: {items}")
        return [2 * item for item in items]


def together(turns: Turns, calls: list) -> list:
    """Make calls in threads that all wait, in this order, for a lock. Returns their results or exceptions."""
    with ThreadPoolExecutor(len(calls)) as threads:
        with turns:
            running = []
            for number, call in enumerate(calls, 1):
                running.append(threads.submit(call))
                until(lambda number=number: waiting(turns) == number)
        return [one.exception(60) or one.result() for one in running]


def test_a_single_request_waits_for_nobody():
    work = Doubling()
    assert Batches(Turns()).run("a", 4, 10, work) == 8
    assert work.passes == [[4]]


def test_waiting_requests_are_merged_and_each_gets_its_own_result():
    turns, work = Turns(), Doubling()
    queue = Batches(turns)
    calls = [lambda item=item: queue.run("a", item, 10, work) for item in range(20)]
    assert together(turns, calls) == [2 * item for item in range(20)]
    assert work.passes == [list(range(8)), list(range(8, 16)), list(range(16, 20))]
    assert not queue._waiting
    assert waiting(turns) == 0


def test_only_requests_of_one_group_are_merged_and_few_large_ones():
    turns, work = Turns(), Doubling()
    queue = Batches(turns)
    calls = [lambda item=item: queue.run(item % 2, item, 10, work) for item in range(6)]
    assert together(turns, calls) == [2 * item for item in range(6)]
    assert work.passes == [[0, 2, 4], [1, 3, 5]]
    work.passes.clear()
    calls = [lambda item=item: queue.run("a", item, batches.TOKENS // 2, work) for item in range(3)]
    assert together(turns, calls) == [0, 2, 4]
    assert work.passes == [[0, 1], [2]]
    work.passes.clear()
    calls = [lambda item=item: queue.run("a", item, 2 * batches.TOKENS, work) for item in range(2)]
    assert together(turns, calls) == [0, 2]
    assert work.passes == [[0], [1]]


@pytest.mark.parametrize("wrong", range(3))
def test_an_error_reaches_only_the_thread_that_caused_it(wrong):
    turns, work = Turns(), Doubling()
    queue = Batches(turns)
    items = [-1 if number == wrong else number for number in range(3)]
    found = together(turns, [lambda item=item: queue.run("a", item, 10, work) for item in items])
    assert [type(one) is ValueError for one in found] == [number == wrong for number in range(3)]
    assert [one for one in found if not isinstance(one, ValueError)] == [2 * item for item in items if item >= 0]
    assert not queue._waiting


def test_who_leaves_while_computing_or_waiting_stops_nobody_else():
    gone = set()

    def check():
        if threading.current_thread().name in gone:
            raise GoneError

    turns, work = Turns(check=check), Doubling()
    queue = Batches(turns)

    def leaving(items):
        raise GoneError

    def call(name, item, how):
        threading.current_thread().name = name
        return queue.run("a", item, 10, how)

    calls = [
        lambda: call("computes", 1, leaving),
        lambda: call("stays", 2, work),
        lambda: gone.add("waits") or call("waits", 3, work),
        lambda: call("stays too", 4, work),
    ]
    first, second, third, fourth = together(turns, calls)
    assert (second, fourth) == (4, 8)
    assert isinstance(first, GoneError)
    assert isinstance(third, GoneError)
    assert not queue._waiting
    with turns:
        assert turns.is_mine()


def test_images_that_wait_share_passes_and_get_their_own_traces(small, monkeypatch):
    passes, forward = [], VisionTransformer.forward
    monkeypatch.setattr(VisionTransformer, "forward", lambda self, x: passes.append(len(x)) or forward(self, x))
    random = np.random.default_rng(0)
    geometry = Geometry((48, 32), (48, 32), 8, (0, 0, 48, 32), (0, 0, 48, 32))
    images = [Prepared(random.integers(0, 255, (32, 48, 3), dtype=np.uint8), geometry) for _ in range(10)]
    calls = [lambda image=image: batches.traced(small, "small", image) for image in images]
    traces = together(one_at_a_time, calls)
    assert passes == [8, 2]
    for trace, image in zip(traces, images, strict=True):
        assert trace.image is image
        alone = small.trace(image)
        assert torch.allclose(torch.tensor(trace.output), torch.tensor(alone.output), rtol=1e-4, atol=1e-4)
        assert np.allclose(trace.attention(2), alone.attention(2), rtol=1e-4, atol=1e-4)
