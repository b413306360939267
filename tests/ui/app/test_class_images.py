"""Images shared with a class: in memory only, for the stated time, under names that nobody can guess."""

import re
import threading
import time

import pytest

from tests.support.app_pages import picture
from vitviz.errors import ImageError, VitvizError
from vitviz.notation.variables import CLASS_HOURS
from vitviz.ui.app import cache, class_images, sessions
from vitviz.ui.app.cache import Cache
from vitviz.ui.app.class_images import ClassImages, format_duration, hours, short_duration


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
    return ClassImages(clock, most_images=3, most_bytes=100, most_owned=2)


def test_an_image_is_there_until_its_time_is_over(store, clock):
    share = store.share(b"image", hours=2, owner="teacher")
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
    share, other = store.share(b"image", 2, "teacher"), store.share(b"other", 2, "teacher")
    store.end(share.name, "teacher")
    store.end(share.name, "teacher")
    store.end("nobody", "teacher")
    assert store.find(share.name) is None
    assert store.owned("teacher") == (other,)
    assert store.take_ended() == {share.digest}


def test_the_same_image_is_shared_once_and_keeps_its_end(store, clock):
    share = store.share(b"image", 2, "teacher")
    clock.now += 3600
    assert store.share(b"image", 2, "teacher") is share
    assert store.seconds_left(share) == 3600
    clock.now += 3600
    again = store.share(b"image", 1, "teacher")
    assert again.name != share.name
    assert store.take_ended() == frozenset(), "it is shared again"


def test_nobody_ends_what_another_one_shares(store):
    """Not even with the same file, and the name of the share."""
    share, same = store.share(b"image", 2, "teacher"), store.share(b"image", 2, "another")
    assert share.name != same.name
    store.end(share.name, "another")
    assert store.find(share.name) is share
    store.end(same.name, "another")
    assert store.owned("another") == ()
    assert store.owned("teacher") == (share,)
    assert share.digest in store.digests(), "its results are kept"


def test_one_user_does_not_take_all_the_room(store, clock):
    for image in (b"a", b"b"):
        store.share(image, 1, "one")
    with pytest.raises(ImageError, match="end the sharing"):
        store.share(b"c", 1, "one")
    store.share(b"c", 1, "another")
    store.end(store.owned("one")[0].name, "one")
    store.share(b"d", 1, "one")


def test_secrets_are_not_in_messages(store):
    share = store.share(b"image", 1, "secret of the owner", "holiday.png")
    assert not re.search("secret|holiday|image", repr(share))


def test_time_passes_while_a_linux_computer_sleeps(monkeypatch):
    boot = getattr(time, "CLOCK_BOOTTIME", 7)
    awake, since_boot = Clock(), Clock()
    monkeypatch.setattr(time, "CLOCK_BOOTTIME", boot, raising=False)
    monkeypatch.setattr(time, "monotonic", awake)
    monkeypatch.setattr(time, "clock_gettime", lambda which: {boot: since_boot}[which]())
    store = ClassImages()
    share = store.share(b"image", 1, "teacher")
    since_boot.now += 3599
    assert store.seconds_left(share) == 1
    since_boot.now += 1
    assert store.find(share.name) is None


@pytest.mark.parametrize("passes", ["awake", "wall"])
def test_without_that_clock_the_first_of_two_counts(passes, monkeypatch):
    """The one stands still during sleep, the other may be set back."""
    clocks = {"awake": Clock(), "wall": Clock()}
    monkeypatch.delattr(time, "CLOCK_BOOTTIME", raising=False)
    monkeypatch.setattr(time, "monotonic", clocks["awake"])
    monkeypatch.setattr(time, "time", clocks["wall"])
    store = ClassImages()
    share = store.share(b"image", 1, "teacher")
    clocks[passes].now += 3599
    assert store.seconds_left(share) == 1
    clocks[passes].now += 1
    assert store.find(share.name) is None
    assert store.take_ended() == {share.digest}


def test_thumbnails_end_with_their_image(store, clock):
    share = store.share(b"image", 1, "teacher")
    store.add_part(share.name, "thumbnail")
    assert store.digests() == {share.digest, "thumbnail"}
    clock.now += 3600
    store.add_part(share.name, "late")
    assert store.take_ended() == {share.digest, "thumbnail", "late"}


def test_names_tell_the_duration_and_nothing_that_can_be_guessed(store):
    names = {ClassImages().share(b"image", 2, "teacher").name for _ in range(200)}
    assert len(names) == 200
    assert all(name.startswith("2h-") and len(name) >= 25 for name in names)


def test_the_store_is_bounded_in_number_and_in_bytes(store, clock):
    for owner in "abc":
        store.share(b"image", 1, owner)
    with pytest.raises(ImageError, match="try again"):
        store.share(b"image", 1, "d")
    clock.now += 3600
    store.share(b"x" * 60, 1, "a")
    with pytest.raises(ImageError):
        store.share(b"y" * 41, 1, "b")
    store.share(b"z" * 40, 1, "b")


def test_threads_share_and_end_at_the_same_time(clock):
    store, failures = ClassImages(clock, most_images=10, most_bytes=10_000), []

    def use(number: int) -> None:
        try:
            for turn in range(200):
                share = store.share(bytes([number, turn % 7]), 1, f"{number}")
                assert store.find(share.name) in (share, None)
                assert store.owned(f"{number}") in ((share,), ())
                store.add_part(share.name, f"{number}")
                store.end(share.name, f"{number}")
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
        monkeypatch.delenv(CLASS_HOURS.name, raising=False)
    else:
        monkeypatch.setenv(CLASS_HOURS.name, text)
    assert hours() == value


@pytest.mark.parametrize("text", ["yes", "-1", "169", "nan", "inf", "2h"])
def test_another_value_is_refused_in_a_sentence(text, monkeypatch):
    monkeypatch.setenv(CLASS_HOURS.name, text)
    with pytest.raises(VitvizError, match=CLASS_HOURS.name):
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
    share = class_images.STORE.share(picture(), 1, "teacher")
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
    class_images.STORE.end(kept.name, "teacher")
    assert forget(1) == 1
