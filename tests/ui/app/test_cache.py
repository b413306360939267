"""The cache that all visitors share: bounded in bytes, each result made once, and what is forgotten."""

import re
import threading
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from PIL import Image

from vitviz.errors import VitvizError
from vitviz.ui.app import cache
from vitviz.ui.app.cache import Cache, cached, size_of
from vitviz.ui.app.serving.metrics import CacheStats
from vitviz.ui.app.turns import one_at_a_time

MEGABYTE = 1_000_000


def block(megabytes: float = 1.0) -> np.ndarray:
    return np.zeros(int(megabytes * MEGABYTE), np.uint8)


def near(megabytes: float) -> object:
    return pytest.approx(megabytes * MEGABYTE, abs=5000)


@pytest.mark.parametrize(
    ("result", "megabytes"),
    [
        (block(), 1),
        (block()[:10], 1),  # a view keeps all of it in memory
        ([block(), block()], 2),
        ([one := block(), one], 1),
        ({"a": (block(), {"b": block(2)})}, 3),
        (torch.zeros(250_000), 1),
        (torch.zeros(250_000)[:1], 1),
        (torch.zeros(250_000)[:1].numpy(), 1),
        (Image.new("RGB", (1000, 1000)), 4),
        (Image.new("L", (1000, 1000)), 1),
        (b"x" * MEGABYTE, 1),
        ("x" * MEGABYTE, 1),
        (torch.nn.Linear(1000, 1000), 0),
        (7, 0),
    ],
)
def test_sizes_are_those_of_what_stays_in_memory(result, megabytes):
    assert size_of(result) == near(megabytes)


def test_a_trace_counts_with_what_it_holds(small_trace):
    held = sum(small_trace.queries(layer).nbytes + small_trace.keys(layer).nbytes for layer in range(3))
    assert size_of(small_trace) >= held


def test_what_nobody_asked_for_the_longest_is_forgotten_first():
    kept = Cache(int(3.1 * MEGABYTE))
    for name in "abc":
        kept.put((name,), block())
    assert kept.get(("a",)) is not None
    kept.put(("d",), block())
    assert [kept.get((name,)) is not None for name in "abcd"] == [True, False, True, True]
    assert kept.size == near(3)
    kept.put(("e",), block(3))
    assert len(kept) == 1
    assert kept.size <= kept.most


def test_what_is_larger_than_the_cache_is_made_and_not_kept():
    kept = Cache(MEGABYTE)
    kept.put(("small",), block(0.5))
    assert len(kept.get_or_compute(("large",), lambda: block(2))) == 2 * MEGABYTE
    assert kept.get(("large",)) is None
    assert kept.get(("small",)) is not None, "nothing had to give way for it"


def test_the_same_key_counts_once():
    kept = Cache(10 * MEGABYTE)
    for _ in range(5):
        kept.put(("a",), block())
    assert kept.size == near(1)
    kept.clear()
    assert (kept.size, len(kept)) == (0, 0)


def test_many_who_ask_at_once_have_it_made_once():
    kept, made, found = Cache(MEGABYTE), [], []
    together = threading.Barrier(8)

    def make():
        made.append(1)
        threading.Event().wait(0.05)
        return block(0.1)

    def ask():
        together.wait()
        found.append(kept.get_or_compute(("a",), make))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1
    assert len({id(one) for one in found}) == 1
    assert kept._making == {}


def test_other_results_are_made_meanwhile():
    kept, begun, go_on = Cache(MEGABYTE), threading.Event(), threading.Event()

    def slow():
        begun.set()
        assert go_on.wait(60)
        return 1

    thread = threading.Thread(target=kept.get_or_compute, args=(("slow",), slow))
    thread.start()
    assert begun.wait(60)
    assert kept.get_or_compute(("quick",), lambda: 2) == 2
    go_on.set()
    thread.join()
    assert kept.get(("slow",)) == 1


def test_an_error_is_not_kept():
    kept = Cache(MEGABYTE)

    def fail():
        raise ValueError("no")

    for _ in range(2):
        with pytest.raises(ValueError, match="no"):
            kept.get_or_compute(("a",), fail)
    assert kept.get_or_compute(("a",), lambda: 3) == 3
    assert kept.get_or_compute(("none",), lambda: None) is None
    assert kept.get_or_compute(("none",), fail) is None, "None is a result, too"


def test_all_results_of_an_image_are_forgotten_and_no_others():
    kept = Cache(MEGABYTE)
    kept.put(("f", ("digest 1", "model", 224)), 1)
    kept.put(("sweep", (("digest 1", "model"), ("digest 2", "model"))), 2)
    kept.put(("f", ("digest 2", "model", 224)), 3)
    kept.forget({"digest 1"})
    assert len(kept) == 1
    assert kept.get(("f", ("digest 2", "model", 224))) == 3


def test_arguments_that_follow_from_others_identify_nothing(monkeypatch):
    monkeypatch.setattr(cache, "shared", Cache(MEGABYTE))
    asked = []

    @cached()
    def twice(number: int, _how: str) -> int:
        asked.append((number, _how))
        return 2 * number

    assert [twice(1, "a"), twice(1, "b"), twice(2, "b")] == [2, 2, 4]
    assert asked == [(1, "a"), (2, "b")]


def test_what_is_large_has_a_share_of_its_own_and_takes_no_more():
    kept = Cache(10 * MEGABYTE)
    kept.put(("made of it", "a"), block())
    for name in range(20):
        kept.put(("large", "kind", name), block(), share=0.31)
    assert kept.get(("made of it", "a")) is not None, "it was asked for before all of them"
    assert [kept.get(("large", "kind", name)) is not None for name in (16, 17, 18, 19)] == [False, True, True, True]
    assert kept.size == near(4)


def test_who_has_the_turn_waits_for_nobody_who_may_need_it():
    kept, making, found = Cache(MEGABYTE), threading.Event(), []

    def make():
        making.set()
        with one_at_a_time:
            return "other"

    with one_at_a_time:
        thread = threading.Thread(target=lambda: found.append(kept.get_or_compute(("a",), make)))
        thread.start()
        assert making.wait(60)
        assert kept.get_or_compute(("a",), lambda: "own") == "own"
    thread.join(60)
    assert found == ["other"]


def test_a_result_is_kept_when_a_click_cuts_the_wait_short(monkeypatch):
    class ClickedError(Exception):
        pass

    @contextmanager
    def spinner(_words):
        yield
        raise ClickedError  # as Streamlit does where it hears of a click

    monkeypatch.setattr(cache, "shared", Cache(MEGABYTE))
    monkeypatch.setattr(cache, "_spinner", spinner)
    made = []

    @cached("Working …")
    def work(number: int) -> int:
        made.append(number)
        return number

    with pytest.raises(ClickedError):
        work(1)
    assert work(1) == 1
    assert made == [1]


def test_the_last_of_what_has_a_share_stays_however_large():
    kept = Cache(10 * MEGABYTE)
    kept.put(("large", "kind", 1), block(2), share=0.3)
    kept.put(("large", "kind", 2), block(5), share=0.3)
    assert [kept.get(("large", "kind", name)) is not None for name in (1, 2)] == [False, True]
    assert kept.size == near(5)


@pytest.mark.parametrize("said", ["1GB", "0", "99", "-5", "1e3"])
def test_a_size_that_is_none_is_refused_in_a_sentence(said, monkeypatch):
    monkeypatch.setenv("VITVIZ_CACHE_MB", said)
    with pytest.raises(VitvizError, match=rf"VITVIZ_CACHE_MB is .*{re.escape(said)}"):
        cache._bytes()


def test_figures_tell_sizes_and_how_often_each_kind_was_made():
    kept = Cache(MEGABYTE)
    for name in "aab":
        kept.get_or_compute(("module", "kind", name), lambda: block(0.1))
    kept.put(("sweep", ("digest", "model")), block(0.1))
    sizes, counts = kept.figures()
    assert counts == {"module.kind": 2}
    assert sizes == {"module.kind": near(0.2), "sweep": near(0.1)}
    assert "digest" not in str(CacheStats(kept).get_stats())
    (counter,) = CacheStats(kept).get_stats(["vitviz_results_made"])["vitviz_results_made"]
    assert counter.to_metric_str() == 'vitviz_results_made_total{kind="module.kind"} 2'
