"""Class link: the address of the present view, and an image that a class shares, in sessions of several users."""

from urllib.parse import parse_qsl, urlsplit

import pytest
import streamlit as st

from tests.support.app_pages import choice_of, dropped, explore, picture, placed, query, start, texts
from tests.ui.app.test_class_images import Clock
from vitviz.ui.app import class_images, network_address, state
from vitviz.ui.app.class_images import GONE, MARK, VARIABLE, ClassImages


@pytest.fixture
def clock(monkeypatch):
    """Clock of a store that no other test uses."""
    clock = Clock()
    new = ClassImages(clock)
    monkeypatch.setattr(class_images.STORE, "_clock", clock)
    for name in ("_shares", "_parts", "_ended"):
        monkeypatch.setattr(class_images.STORE, name, getattr(new, name))
    return clock


def opened_link(app):
    """The app after a click on "Class link"."""
    app.button(key="class_link").click().run()
    assert not app.exception
    return app


def link_of(app) -> dict[str, str]:
    """Query parameters of the link that the dialog shows."""
    (address,) = [code.value for code in app.code]
    return dict(parse_qsl(urlsplit(address).query))


def teacher(monkeypatch, hours: str = "2"):
    """Somebody who looks at their own image, and has opened the class link."""
    monkeypatch.setenv(VARIABLE, hours)
    app = dropped(explore(layer="3", head="2", projector="1", guide="tour-1"), "own_dropped", "secret.png", picture())
    return opened_link(app)


def test_the_link_opens_the_present_view_of_a_sample():
    app = opened_link(explore(image="rocket", layer="3", head="2", query="2-5", projector="1", guide="tour-2"))
    shown = link_of(app)
    assert shown == {name: text for name, text in query(app).items() if name not in ("projector", "guide")}
    again = explore(**shown)
    assert not again.warning
    assert query(again) == shown
    assert choice_of(again) == choice_of(app)


def test_an_own_image_is_not_in_the_link_unless_it_is_shared(monkeypatch, clock):
    app = teacher(monkeypatch)
    assert query(app)["image"] == "own"
    assert "image" not in link_of(app)
    assert class_images.STORE.digests() == frozenset()
    app.button(key="class_share").click().run()
    mark = link_of(app)["image"]
    assert mark.startswith(f"{MARK}2h-")
    assert "secret" not in mark
    assert class_images.STORE.digests() == {choice_of(app).picked.digest}
    assert query(app)["image"] == "own", "the teacher's own address stays"
    (said,) = [text for text in placed(app, "class_image") if text]
    assert "2 hours" in said


@pytest.mark.parametrize("hours", ["", "0"])
def test_a_server_shares_nothing_unless_its_operator_says_so(hours, monkeypatch, clock):
    app = teacher(monkeypatch, hours)
    assert "class_share" not in [button.key for button in app.button]
    assert "image" not in link_of(app)


def pupil(link: dict[str, str]):
    app = explore(**link)
    assert not app.exception
    return app


def test_pupils_see_it_until_the_time_is_over(monkeypatch, clock):
    app = teacher(monkeypatch)
    app.button(key="class_share").click().run()
    link = link_of(app)
    one = pupil(link)
    assert not one.warning
    assert choice_of(one).picked.data == picture()
    assert (one.session_state.own, choice_of(one).picked.name) == (None, "class image")
    assert query(one) == link
    assert state.trace(choice_of(one)).output.tolist() == state.trace(choice_of(app)).output.tolist()
    clock.now += 3600
    assert "1 hour" in texts(one.run())
    clock.now += 3600
    one.run()
    assert not one.exception
    assert [warning.value for warning in one.warning] == [GONE]
    assert choice_of(one).picked.name == "cat"
    assert "class" not in query(one)["image"]
    late = pupil(link)
    assert [warning.value for warning in late.warning] == [GONE]
    assert choice_of(late).picked.name == "cat"
    assert (query(late)["layer"], query(late)["head"]) == ("3", "2"), "the rest of the link counts"


def test_it_ends_when_the_teacher_ends_it(monkeypatch, clock):
    app = teacher(monkeypatch)
    app.button(key="class_share").click().run()
    one = pupil(link_of(app))
    app.button(key="class_end").click().run()
    assert "image" not in link_of(app)
    assert choice_of(app).picked.name == "secret.png"
    assert [warning.value for warning in one.run().warning] == [GONE]


def test_another_session_with_the_same_file_finds_the_same_share(monkeypatch, clock):
    """After a reload, for example."""
    first = teacher(monkeypatch)
    first.button(key="class_share").click().run()
    again = teacher(monkeypatch)
    assert link_of(again) == link_of(first)
    again.button(key="class_end").click().run()
    assert class_images.STORE.digests() == frozenset()


def test_a_pupil_can_look_at_a_sample_and_at_an_own_image_meanwhile(monkeypatch, clock):
    app = teacher(monkeypatch)
    app.button(key="class_share").click().run()
    one = pupil(link_of(app))
    dropped(one, "own_dropped", "mine.png", picture(32))
    assert (query(one)["image"], choice_of(one).picked.name) == ("own", "mine.png")
    clock.now += 7200
    assert not one.run().warning, "it is not looked at"
    assert choice_of(one).picked.name == "mine.png"


def test_a_pupil_passes_the_class_image_on(monkeypatch, clock):
    app = teacher(monkeypatch)
    app.button(key="class_share").click().run()
    assert link_of(opened_link(pupil(link_of(app)))) == link_of(app)


@pytest.mark.parametrize("name", ["class-", "class-x", f"class-2h-{'A' * 22}", "class-<b>", "class-\0"])
def test_an_unknown_name_is_answered_in_one_sentence(name, clock):
    app = explore(image=name)
    assert not app.exception
    assert [warning.value for warning in app.warning] == [GONE]
    assert choice_of(app).picked.name == "cat"


def test_a_full_store_says_so(monkeypatch, clock):
    app = teacher(monkeypatch)
    monkeypatch.setattr(class_images.STORE, "_most_images", 0)
    app.button(key="class_share").click().run()
    assert not app.exception
    assert [error.value for error in app.error] == [class_images.FULL]
    assert not app.run().error


def test_first_page_too():
    app = opened_link(start(image="rocket"))
    assert link_of(app)["image"] == "rocket"


@pytest.fixture
def network(monkeypatch):
    """A server that answers the network, on a machine with this address."""
    option = st.get_option
    monkeypatch.setattr(st, "get_option", lambda name: "0.0.0.0" if name == "server.address" else option(name))
    monkeypatch.setattr(network_address, "local_address", lambda: "192.168.0.2")


def test_phones_get_the_address_of_this_machine_in_the_network(network):
    app = opened_link(explore(image="rocket"))
    assert app.text_input(key="class_address").value.startswith("http://192.168.0.2:")
    (code,) = app.code
    assert code.value.startswith("http://192.168.0.2:")
    assert not app.warning
    app.text_input(key="class_address").set_value("http://10.0.0.9:8501").run()
    assert app.code[0].value.startswith("http://10.0.0.9:8501/")
    app.text_input(key="class_address").set_value("10.0.0.9").run()
    assert not app.exception
    assert (len(app.code), len(app.warning)) == (0, 1)


def test_a_server_for_this_machine_only_says_so():
    app = opened_link(explore(image="rocket"))
    assert ["--server.address" in warning.value for warning in app.warning] == [True]
