"""Images of users are deleted with their sessions, and no others."""

import asyncio
from types import SimpleNamespace

import pytest

from tests.support.event_loops import run_to_its_end
from vitviz.ui.app import cache, sessions
from vitviz.ui.app.cache import Cache


@pytest.fixture
def kept(monkeypatch):
    monkeypatch.setattr(sessions, "_sessions", {})
    monkeypatch.setattr(sessions, "_left", {})
    monkeypatch.setattr(cache, "shared", Cache(1_000_000))
    for image in ("one", "two", "both", "sample"):
        cache.shared.put(("f", (image, "model")), image)
    return lambda: {image for image in ("one", "two", "both", "sample") if cache.shared.get(("f", (image, "model")))}


@pytest.fixture
def give(monkeypatch):
    def note(session, image):
        monkeypatch.setattr(sessions, "get_script_run_ctx", lambda **_: SimpleNamespace(session_id=session))
        sessions.add_image(image)

    return note


def test_images_go_with_the_last_session_that_gave_them(kept, give):
    for session, image in (("a", "one"), ("a", "both"), ("b", "both"), ("b", "two")):
        give(session, image)
    now = max(session.last for session in sessions._sessions.values())
    here = {"a", "b"}
    assert sessions.forget_disconnected(here.__contains__, now + 1) == []
    here.remove("a")
    assert sessions.forget_disconnected(here.__contains__, now + sessions.TIMEOUT) == [], "it may come back"
    assert kept() == {"one", "two", "both", "sample"}
    assert sessions.forget_disconnected(here.__contains__, now + 2 + sessions.TIMEOUT) == ["a"]
    assert kept() == {"two", "both", "sample"}
    here.clear()
    assert sessions.forget_disconnected(here.__contains__, now + 9 + 2 * sessions.TIMEOUT) == ["b"]
    assert kept() == {"sample"}
    assert sessions._sessions == {}


def test_who_is_connected_stays_however_long_nothing_happens(kept, give):
    give("a", "one")
    for hour in range(1, 5):
        assert sessions.forget_disconnected(lambda _: True, sessions._sessions["a"].last + 3600 * hour) == []
    assert "one" in kept()


def test_what_a_run_puts_there_after_its_visitor_has_gone_is_forgotten_too(kept, give):
    give("a", "one")
    now = sessions._sessions["a"].last
    sessions.forget_disconnected(lambda _: False, now + 1 + sessions.TIMEOUT)
    cache.shared.put(("late", ("one", "model")), "one")
    sessions.forget_disconnected(lambda _: False, now + 6 + sessions.TIMEOUT)
    assert len(cache.shared) == 3
    give("b", "one")
    cache.shared.put(("late", ("one", "model")), "one")
    sessions.forget_disconnected(lambda _: True, now + 11 + sessions.TIMEOUT)
    assert len(cache.shared) == 4, "somebody else has given it meanwhile"


def test_a_session_that_cannot_be_ended_keeps_no_other_from_being_forgotten(kept, give, monkeypatch):
    ended = []

    class Runtime:
        def is_active_session(self, session):
            if len(ended) == 1:
                raise RuntimeError("the first look fails")
            return False

        def close_session(self, session):
            ended.append(session)
            raise RuntimeError("it cannot be ended")

    for session, image in (("a", "one"), ("b", "two")):
        give(session, image)
    monkeypatch.setattr(sessions, "INTERVAL", 0.0)
    monkeypatch.setattr(sessions, "TIMEOUT", -1.0)
    monkeypatch.setattr(sessions.runtime, "get_instance", Runtime)

    async def watched():
        watch = asyncio.create_task(sessions.watch())
        while len(ended) < 2 or "two" in kept():
            await asyncio.sleep(0.01)
        give("c", "both")
        while len(ended) < 3 or "both" in kept():
            await asyncio.sleep(0.01)
        watch.cancel()

    run_to_its_end(watched())
    assert kept() == {"sample"}


def test_unused_memory_is_returned_while_all_users_are_connected(kept, give, monkeypatch):
    trimmed = []

    class Runtime:
        def is_active_session(self, session):
            return True

    give("a", "one")
    monkeypatch.setattr(sessions, "INTERVAL", 0.0)
    monkeypatch.setattr(sessions.runtime, "get_instance", Runtime)
    monkeypatch.setattr(sessions.memory, "trim", lambda: trimmed.append(len(kept())))

    async def watched():
        watch = asyncio.create_task(sessions.watch())
        while len(trimmed) < 2:
            await asyncio.sleep(0.01)
        watch.cancel()

    run_to_its_end(watched())
    assert "one" in kept()
