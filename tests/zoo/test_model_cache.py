"""Shared models: loaded once for all threads, and evicted in the order of their last use."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.facts import mentions
from vitviz import ModelError, zoo
from vitviz.zoo.model_cache import ModelCache, max_models


@pytest.fixture
def shelf():
    return ModelCache(lambda: 2)


def test_a_model_is_loaded_once_and_then_kept(shelf):
    loaded = []

    def load():
        loaded.append("a")
        return object()

    assert shelf.get("a", load) is shelf.get("a", load)
    assert loaded == ["a"]


def test_the_least_recently_used_model_goes(shelf):
    for name in ("a", "b", "a", "c"):
        shelf.get(name, object)
    assert shelf.names() == ("a", "c")


def test_threads_that_ask_for_the_same_model_load_it_once(shelf):
    loading, release, loaded = threading.Event(), threading.Event(), []

    def load():
        loading.set()
        assert release.wait(60)
        loaded.append("a")
        return object()

    with ThreadPoolExecutor(8) as threads:
        first = threads.submit(shelf.get, "a", load)
        assert loading.wait(60)
        others = [threads.submit(shelf.get, "a", load) for _ in range(7)]
        release.set()
        models = {id(future.result(60)) for future in (first, *others)}
    assert len(models) == len(loaded) == 1


def test_a_model_that_loads_holds_nobody_up_who_wants_another(shelf):
    release = threading.Event()
    kept = shelf.get("kept", object)

    def load():
        assert release.wait(60)
        return object()

    with ThreadPoolExecutor(1) as threads:
        slow = threads.submit(shelf.get, "slow", load)
        assert shelf.get("kept", object) is kept
        shelf.get("new", object)
        release.set()
        slow.result(60)
    assert shelf.names()[-1] in ("slow", "new")
    assert len(shelf.names()) == 2


def test_a_failure_is_told_to_all_who_waited_and_not_kept(shelf):
    loading, release = threading.Event(), threading.Event()

    def fail():
        loading.set()
        assert release.wait(60)
        raise ModelError("no")

    shelf.get("kept", object)
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(shelf.get, "a", fail)
        assert loading.wait(60)
        second = threads.submit(shelf.get, "a", fail)
        release.set()
        assert all(isinstance(future.exception(60), ModelError) for future in (first, second))
    assert shelf.names() == ("kept",)
    assert shelf.get("a", lambda: "model") == "model"


def test_a_thread_that_is_stopped_leaves_the_loading_to_the_next(shelf):
    """A user who closes the page while a model is being loaded must not affect others."""
    loading, release = threading.Event(), threading.Event()

    class Stopped(BaseException):
        pass

    def stopped():
        loading.set()
        assert release.wait(60)
        raise Stopped

    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(shelf.get, "a", stopped)
        assert loading.wait(60)
        second = threads.submit(shelf.get, "a", lambda: "model")
        release.set()
        assert isinstance(first.exception(60), Stopped)
        assert second.result(60) == "model"


def test_many_threads_and_models_never_keep_more_than_allowed(shelf):
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda i: shelf.get(f"model {i % 5}", lambda: f"model {i % 5}"), range(200)))
    assert found == [f"model {i % 5}" for i in range(200)]
    assert len(shelf.names()) == 2


def test_how_many_models_stay(monkeypatch):
    monkeypatch.delenv("VITVIZ_MAX_MODELS", raising=False)
    assert max_models() == 2
    monkeypatch.setenv("VITVIZ_MAX_MODELS", "5")
    assert max_models() == 5


@pytest.mark.parametrize("value", ["0", "-1", "two", " ", "1.5", "²"])
def test_a_bad_limit_is_said(value, monkeypatch):
    monkeypatch.setenv("VITVIZ_MAX_MODELS", value)
    with pytest.raises(ModelError, match=mentions("VITVIZ_MAX_MODELS", repr(value), 1)):
        zoo.shared("dinov2-small")


def test_visitors_share_a_model(monkeypatch):
    monkeypatch.setattr(zoo, "_model_cache", ModelCache(lambda: 1))
    shared = zoo.shared("dinov2-small")
    assert zoo.shared("dinov2-small") is shared
    assert zoo.load("dinov2-small") is not shared
