"""Visitors' own images are forgotten with their sessions, and no others."""

from types import SimpleNamespace

import pytest

from vitviz.ui import cache, visits
from vitviz.ui.cache import Cache


@pytest.fixture
def kept(monkeypatch):
    monkeypatch.setattr(visits, "_visits", {})
    monkeypatch.setattr(cache, "shared", Cache(1_000_000))
    for image in ("one", "two", "both", "sample"):
        cache.shared.put(("f", (image, "model")), image)
    return lambda: {image for image in ("one", "two", "both", "sample") if cache.shared.get(("f", (image, "model")))}


@pytest.fixture
def give(monkeypatch):
    def note(session, image):
        monkeypatch.setattr(visits, "get_script_run_ctx", lambda **_: SimpleNamespace(session_id=session))
        visits.note(image)

    return note


def test_images_go_with_the_last_session_that_gave_them(kept, give):
    for session, image in (("a", "one"), ("a", "both"), ("b", "both"), ("b", "two")):
        give(session, image)
    now = max(visit.last for visit in visits._visits.values())
    here = {"a", "b"}
    assert visits.end_those_gone(here.__contains__, now + 1) == []
    here.remove("a")
    assert visits.end_those_gone(here.__contains__, now + visits.GONE_AFTER) == [], "it may come back"
    assert kept() == {"one", "two", "both", "sample"}
    assert visits.end_those_gone(here.__contains__, now + 2 + visits.GONE_AFTER) == ["a"]
    assert kept() == {"two", "both", "sample"}
    here.clear()
    assert visits.end_those_gone(here.__contains__, now + 9 + 2 * visits.GONE_AFTER) == ["b"]
    assert kept() == {"sample"}
    assert visits._visits == {}


def test_who_is_connected_stays_however_long_nothing_happens(kept, give):
    give("a", "one")
    for hour in range(1, 5):
        assert visits.end_those_gone(lambda _: True, visits._visits["a"].last + 3600 * hour) == []
    assert "one" in kept()
