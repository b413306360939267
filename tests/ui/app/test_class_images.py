"""Images shared with a class: in memory only, for the stated time, under names that nobody can guess."""

import threading

import pytest

from tests.support.app_pages import picture
from vitviz.errors import ImageError, VitvizError
from vitviz.ui.app import cache, class_images, sessions
from vitviz.ui.app.cache import Cache
from vitviz.ui.app.class_images import VARIABLE, ClassImages, format_duration, hours, short_duration


class Clock:
    """Time that passes only when told to."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def store(clock):
    return ClassImages(clock, most_images=3, most_bytes=100)


def test_an_image_is_there_until_its_time_is_over(store, clock):
    share = store.share(b"image", hours=2)
    assert store.find(share.name) is share
    assert store.seconds_left(share) == 7200
    clock.now += 7199
    assert store.find(share.name) is share
    clock.now += 1
    assert store.find(share.name) is None
    assert store.seconds_left(share) == 0
    assert store.digests() == frozenset()
    assert store.take_ended() == {share.digest}
    assert store.take_ended() == frozenset(), "once"


def test_an_image_can_be_ended_before(store):
    share, other = store.share(b"image", 2), store.share(b"other", 2)
    store.end(share.name)
    store.end(share.name)
    store.end("nobody")
    assert store.find(share.name) is None
    assert store.find(other.name) is other
    assert store.take_ended() == {share.digest}


def test_the_same_image_is_shared_once_and_keeps_its_end(store, clock):
    share = store.share(b"image", 2)
    clock.now += 3600
    assert store.share(b"image", 2) is store.find_digest(share.digest) is share
    assert store.seconds_left(share) == 3600
    clock.now += 3600
    again = store.share(b"image", 1)
    assert again.name != share.name
    assert store.take_ended() == frozenset(), "it is shared again"


def test_thumbnails_end_with_their_image(store, clock):
    share = store.share(b"image", 1)
    store.add_part(share.name, "thumbnail")
    assert store.digests() == {share.digest, "thumbnail"}
    clock.now += 3600
    store.add_part(share.name, "late")
    assert store.take_ended() == {share.digest, "thumbnail", "late"}


def test_names_tell_the_duration_and_nothing_that_can_be_guessed(store):
    names = {ClassImages().share(b"image", 2).name for _ in range(200)}
    assert len(names) == 200
    assert all(name.startswith("2h-") and len(name) >= 25 for name in names)


def test_the_store_is_bounded_in_number_and_in_bytes(store, clock):
    for image in (b"a", b"b", b"c"):
        store.share(image, 1)
    with pytest.raises(ImageError, match="try again"):
        store.share(b"d", 1)
    clock.now += 3600
    store.share(b"x" * 60, 1)
    with pytest.raises(ImageError):
        store.share(b"y" * 41, 1)
    store.share(b"z" * 40, 1)


def test_threads_share_and_end_at_the_same_time(clock):
    store, failures = ClassImages(clock, most_images=10, most_bytes=10_000), []

    def use(number: int) -> None:
        try:
            for turn in range(200):
                share = store.share(bytes([number, turn % 7]), 1)
                assert store.find(share.name) in (share, None)
                store.find_digest(share.digest)
                store.add_part(share.name, f"{number}")
                store.end(share.name)
                store.take_ended()
                store.digests()
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=use, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert store.digests() == frozenset()


@pytest.mark.parametrize(("text", "value"), [(None, 0), ("", 0), ("0", 0), ("2", 2), ("1.5", 1.5), ("168", 168)])
def test_the_operator_decides(text, value, monkeypatch):
    if text is None:
        monkeypatch.delenv(VARIABLE, raising=False)
    else:
        monkeypatch.setenv(VARIABLE, text)
    assert hours() == value


@pytest.mark.parametrize("text", ["yes", "-1", "169", "nan", "inf", "2h"])
def test_another_value_is_refused_in_a_sentence(text, monkeypatch):
    monkeypatch.setenv(VARIABLE, text)
    with pytest.raises(VitvizError, match=VARIABLE):
        hours()


def test_durations():
    assert [short_duration(value) for value in (1, 2, 1.5, 0.001)] == ["1h", "2h", "90min", "1min"]
    assert [format_duration(3600 * value) for value in (1, 2, 1.5, 0.001)] == [
        "1 hour",
        "2 hours",
        "1 hour 30 minutes",
        "1 minute",
    ]


@pytest.fixture
def kept(monkeypatch, clock):
    """Results of an image that somebody shares, and that no session uses."""
    monkeypatch.setattr(sessions, "_sessions", {})
    monkeypatch.setattr(sessions, "_left", {})
    monkeypatch.setattr(cache, "shared", Cache(1_000_000))
    monkeypatch.setattr(class_images, "STORE", ClassImages(clock))
    share = class_images.STORE.share(picture(), 1)
    cache.shared.put(("f", (share.digest, "model")), "result")
    return share


def forget(now: float) -> int:
    sessions.forget_disconnected(lambda _: True, now)
    return len(cache.shared)


def test_results_are_deleted_when_the_time_is_over(kept, clock):
    assert forget(1) == 1
    clock.now += 3600
    assert forget(2) == 0
    cache.shared.put(("late", (kept.digest, "model")), "of a run that was under way")
    assert forget(3) == 0


def test_the_session_that_shared_it_may_end_before(kept, clock):
    sessions._sessions["teacher"] = sessions.Session({kept.digest}, last=0.0)
    sessions.forget_disconnected(lambda _: False, 1 + sessions.TIMEOUT)
    assert sessions._sessions == {}
    assert len(cache.shared) == 1, "the class still looks at it"


def test_the_session_that_shared_it_keeps_its_results(kept):
    sessions._sessions["teacher"] = sessions.Session({kept.digest}, last=0.0)
    class_images.STORE.end(kept.name)
    assert forget(1) == 1
