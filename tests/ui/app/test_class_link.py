"""Class link: the address of the present view, and an image that a class shares, in sessions of several users."""

import re
from datetime import datetime, timedelta
from urllib.parse import parse_qsl, urlsplit

import pytest
import streamlit as st

from tests.support.app_pages import choice_of, dropped, explore, picture, placed, query, start, texts
from tests.support.facts import assert_mentions
from tests.ui.app.test_class_images import Clock
from vitviz.notation.variables import CLASS_HOURS
from vitviz.ui.app import class_choice, class_images, class_link, class_shares, network_address, state
from vitviz.ui.app.class_images import GONE, MARK, ClassImages


@pytest.fixture
def clock(monkeypatch):
    """Clock of a store that no other test uses."""
    clock = Clock()
    new = ClassImages(clock)
    for name in ("_clocks", "_shares", "_parts", "_ended"):
        monkeypatch.setattr(class_images.STORE, name, getattr(new, name))
    return clock


def opened_link(app):
    """The app after a click on "Class link"."""
    app.button(key="class_link").click().run()
    assert not app.exception
    return app


def link_of(app) -> dict[str, str]:
    """Query parameters of the link that the dialog shows."""
    (address,) = [code.value for code in app.code if code.value.startswith("http")]
    return dict(parse_qsl(urlsplit(address).query))


class Session(dict):
    """Copy of a session for functions that run outside of the app."""

    __getattr__, __setattr__ = dict.__getitem__, dict.__setitem__


def session_of(app) -> Session:
    names = ("own", "picked", "settings", "class_image", class_shares.OWNER)
    return Session({name: app.session_state[name] for name in names if name in app.session_state})


def ends(app) -> list:
    """The buttons that end a share."""
    return [button for button in app.button if (button.key or "").startswith("class_end_")]


def teacher(monkeypatch, hours: str = "2"):
    """Somebody who looks at their own image, and has opened the class link."""
    monkeypatch.setenv(CLASS_HOURS.name, hours)
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
    assert_mentions(" ".join(placed(app, "class_image")), "secret.png", "2 hours")


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
    (end,) = ends(app)
    end.click().run()
    assert "image" not in link_of(app)
    assert choice_of(app).picked.name == "secret.png"
    assert [warning.value for warning in one.run().warning] == [GONE]


def test_another_session_with_the_same_file_has_its_own_share(monkeypatch, clock):
    first = teacher(monkeypatch)
    first.button(key="class_share").click().run()
    other = teacher(monkeypatch)
    assert ends(other) == []
    assert "image" not in link_of(other)
    other.button(key="class_share").click().run()
    assert link_of(other)["image"] != link_of(first)["image"]
    ends(other)[0].click().run()
    assert link_of(first.run())["image"]


def test_the_secret_of_a_session_lets_the_next_one_of_the_same_tab_end_it(monkeypatch, clock):
    """The browser gives it back after a reload, and no other text has an effect."""
    first = teacher(monkeypatch)
    first.button(key="class_share").click().run()
    again = teacher(monkeypatch)
    session = session_of(again)
    with monkeypatch.context() as patch:
        patch.setattr(st, "session_state", session)
        class_shares.take_back("guessed")
        assert class_shares.secret() == ""
        class_shares.take_back(first.session_state[class_shares.OWNER])
        assert class_shares.secret() == first.session_state[class_shares.OWNER]
    again.session_state[class_shares.OWNER] = session[class_shares.OWNER]
    ends(again.run())[0].click().run()
    assert class_images.STORE.digests() == frozenset()


def test_an_image_that_is_no_longer_chosen_can_still_be_ended(monkeypatch, clock):
    app = teacher(monkeypatch)
    app.button(key="class_share").click().run()
    dropped(app, "own_dropped", "second.png", picture(32))
    assert choice_of(app).picked.name == "second.png"
    assert "image" not in link_of(app)
    app.button(key="class_share").click().run()
    first, second = ends(app)
    said = " ".join(placed(app, "class_image"))
    assert_mentions(said, "secret.png", "second.png")
    app.session_state.picked = state.Picked("cat", state.samples()["cat"], sample=True)
    app.run()
    assert [one.key for one in ends(app)] == [first.key, second.key], "with a sample, too"
    ends(app)[0].click().run()
    assert [one.key for one in ends(app)] == [second.key]
    assert len(class_images.STORE.digests()) == 1


def test_an_image_that_is_removed_is_shared_no_longer(monkeypatch, clock):
    app = teacher(monkeypatch)
    app.button(key="class_share").click().run()
    link = link_of(app)
    with monkeypatch.context() as patch:
        patch.setattr(st, "session_state", session_of(app))
        state.forget_own()
    assert class_images.STORE.digests() == frozenset()
    assert [warning.value for warning in pupil(link).warning] == [GONE]


def test_nobody_shares_more_than_a_few(monkeypatch, clock):
    app = teacher(monkeypatch)
    for side in range(class_images.MOST_OWNED + 1):
        dropped(app, "own_dropped", f"{side}.png", picture(32 + side))
        app.button(key="class_share").click().run()
    assert [error.value for error in app.error] == [class_images.TOO_MANY]
    assert len(ends(app)) == class_images.MOST_OWNED


def test_the_session_keeps_no_file_for_a_button(monkeypatch, clock):
    app = teacher(monkeypatch)
    app.button(key="class_share").click().run()
    given = {}
    monkeypatch.setattr(st, "button", lambda *_, **options: given.update({options["key"]: options.get("args")}))
    app.run()
    (share,) = class_images.STORE.owned(app.session_state[class_shares.OWNER])
    assert given[f"class_end_{share.name}"] == (share.name,)


def test_the_link_says_when_it_ends(monkeypatch, clock):
    app = teacher(monkeypatch)
    assert placed(app, "class_until") is None
    app.button(key="class_share").click().run()
    for one in (app, opened_link(pupil(link_of(app)))):
        (said,) = placed(one, "class_until")
        end = datetime.strptime(re.search(r"\d+ \w+ \d{4}, \d\d:\d\d", said)[0], "%d %B %Y, %H:%M")
        assert timedelta(minutes=110) < end - datetime.now() <= timedelta(hours=2)


def test_a_fragment_of_a_page_runs_the_whole_page_once_the_image_has_ended(monkeypatch, clock):
    app = teacher(monkeypatch)
    app.button(key="class_share").click().run()
    one = pupil(link_of(app))
    monkeypatch.setattr(class_choice, "check", lambda: None)
    reruns = []
    monkeypatch.setattr(st, "rerun", lambda: reruns.append(True) or st.stop())
    clock.now += 7200
    one.run()
    assert reruns
    assert not one.error


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
    monkeypatch.setattr(network_address, "local_addresses", lambda: ["192.168.0.2", "10.42.0.1"])


def test_phones_get_the_address_of_this_machine_in_the_network(network):
    app = opened_link(explore(image="rocket"))
    assert app.text_input(key="class_address").value.startswith("http://192.168.0.2:")
    (code,) = app.code
    assert code.value.startswith("http://192.168.0.2:")
    assert not app.warning
    assert "http://10.42.0.1:" in texts(app), "the other network"
    app.text_input(key="class_address").set_value("http://10.0.0.9:8501").run()
    assert app.code[0].value.startswith("http://10.0.0.9:8501/")
    app.text_input(key="class_address").set_value("10.0.0.9").run()
    assert not app.exception
    assert (len(app.code), len(app.warning)) == (0, 1)


@pytest.mark.parametrize("typed", ["", "http://localhost:8501", "http://127.0.0.1:8501", "http://[::1]:8501"])
def test_without_a_network_no_code_is_shown_that_phones_cannot_open(typed, network, monkeypatch):
    monkeypatch.setattr(network_address, "local_addresses", list)
    assert network_address.local_address() is None
    app = opened_link(explore(image="rocket"))
    assert app.text_input(key="class_address").value == ""
    app.text_input(key="class_address").set_value(typed).run()
    assert not app.exception
    assert (len(app.code), len(app.warning)) == (0, 1)
    assert "http://192.168.0.2:8501" in app.warning[0].value
    monkeypatch.setattr(st, "session_state", session_of(app))
    assert class_link.network_page() is None, "nor on worksheets"


def test_a_server_for_this_machine_only_says_so():
    app = opened_link(explore(image="rocket"))
    assert ["--address 0.0.0.0" in warning.value for warning in app.warning] == [True]
