"""vitviz.ui.components._shared: components get the state of the session, and each message is handled once."""

import logging
from functools import partial

import pytest

from tests.support.fake_browser import SESSION, Browser, message
from vitviz.ui.components import _shared as mounting
from vitviz.ui.components._shared import Component, Listener, packed
from vitviz.ui.components._shared.messages import Message, read_messages, whole_number
from vitviz.viz.browser.binary import header_of


@pytest.fixture
def heard():
    return []


@pytest.fixture
def component(tmp_path):
    (tmp_path / "of_a_test.js").write_text("export default function () {}\n")
    return Component("of_a_test", tmp_path)


@pytest.fixture
def browser(monkeypatch, component, heard):

    def read(value):
        if not isinstance(value, int):
            raise ValueError("not a number")
        return value

    listeners = {"add": Listener("a number", read, heard.append), "clear": Listener("clear", bool, lambda _: None)}
    return Browser(monkeypatch, component, lambda: component.draw({"shown": sum(heard)}, listeners, key="it"))


def test_what_is_shown_comes_with_the_number_of_the_last_message_in_it(browser, heard):
    browser.draw()
    assert browser.drawn["data"] == {"shown": 0, "key": "it", "session": SESSION, "received": 0}
    browser.tell(message(4, "add", 10), message(7, "add", 20))
    assert heard == [10, 20]
    assert browser.drawn["data"] == {"shown": 30, "key": "it", "session": SESSION, "received": 7}


def test_what_is_told_again_is_heard_once(browser, heard):
    browser.tell(message(1, "add", 10))
    browser.tell(message(1, "add", 10), message(2, "add", 20))
    browser.tell(message(1, "add", 10))
    assert heard == [10, 20]


def test_an_old_message_changes_nothing(browser, heard):
    browser.tell(message(5, "add", 50))
    browser.tell(message(3, "add", 30))
    assert heard == [50]
    assert browser.drawn["data"]["received"] == 5


def test_what_was_meant_for_an_earlier_session_is_not_heard(browser, heard):
    browser.tell(message(5, "add", 50), session="one before")
    assert heard == []
    assert browser.drawn["data"]["received"] == 0
    browser.tell(message(1, "add", 10))
    assert heard == [10]


@pytest.mark.parametrize("refused", [message(1, "add", "<script>"), message(1, "unknown", 1)])
def test_what_cannot_be_read_is_logged_and_counts_as_heard(browser, heard, refused, caplog):
    """So that a browser does not wait for an answer for ever."""
    with caplog.at_level(logging.WARNING):
        browser.tell(refused, message(2, "add", 20))
    assert "Ignored" in caplog.text
    assert "<script>" not in caplog.text
    assert heard == [20]
    assert browser.drawn["data"]["received"] == 2


def test_an_error_of_who_listens_is_not_taken_for_the_browsers(monkeypatch, component):
    def fail(_):
        raise ValueError("the page's own")

    listeners = {"add": Listener("a number", int, fail)}
    browser = Browser(monkeypatch, component, lambda: component.draw({}, listeners, key="it"))
    with pytest.raises(ValueError, match="the page's own"):
        browser.tell(message(1, "add", 1))


@pytest.mark.parametrize(
    "told",
    [
        None,
        "messages",
        [],
        {"session": SESSION},
        {"session": SESSION, "messages": "all"},
        {"session": SESSION, "messages": [None]},
        {"session": SESSION, "messages": [[1, "add", 1]]},
        {"session": SESSION, "messages": [{"number": 1, "event": "add"}]},
        {"session": SESSION, "messages": [message(1, "add", 1) | {"more": 1}]},
        {"session": SESSION, "messages": [message("1", "add", 1)]},
        {"session": SESSION, "messages": [message(float("nan"), "add", 1)]},
        {"session": SESSION, "messages": [message(float("inf"), "add", 1)]},
        {"session": SESSION, "messages": [message(1, ["add"], 1)]},
        {"session": SESSION, "messages": [message(1, "add", 1)] * 101},
    ],
    ids=repr,
)
def test_what_is_no_messages_is_logged_and_left_out(browser, heard, told, caplog):
    with caplog.at_level(logging.WARNING):
        browser.send(told)
    assert "messages" in caplog.text
    assert heard == []


def test_messages_are_read():
    assert read_messages({"session": "s", "messages": [message(3.0, "add", [1])]}, "s") == [Message(3, "add", [1])]
    for value in (True, None, "3", 0.5, 10**40):
        with pytest.raises(ValueError, match="number"):
            whole_number(value)


def test_a_component_is_sent_after_the_first_part_and_names_all(monkeypatch, component):
    sent = []
    parts = {"frame": packed({"a": 1}, {}), "layer 9": packed({"a": 2}, {}), "layer 1": packed({"a": 3}, {})}
    browser = Browser(monkeypatch, component, lambda: component.draw({}, {}, key="it", parts=parts))
    monkeypatch.setattr(component, "mount", lambda **arguments: sent.append(arguments))
    monkeypatch.setattr(mounting, "_store", lambda **arguments: sent.append(arguments))
    browser.draw()
    assert [one["key"] for one in sent] == ["it_part_frame", "it", "it_part_layer 9", "it_part_layer 1"]
    assert sent[1]["data"]["parts"] == [header_of(part)["key"] for part in parts.values()]


@pytest.mark.parametrize("has_server", [True, False])
def test_parts_for_later_are_published_and_not_sent(has_server, monkeypatch, component):
    sent, published = [], {}
    parts = {"frame": packed({"a": 1}, {}), "layer 9": packed({"a": 2}, {}), "layer 1": packed({"a": 3}, {})}

    def address_of(part, place):
        published[place] = part
        return f"/media/{len(published)}.bin" if has_server else None

    draw = partial(component.draw, {}, {}, key="it", parts=parts, later=["layer 1"])
    browser = Browser(monkeypatch, component, draw)
    monkeypatch.setattr(component, "mount", lambda **arguments: sent.append(arguments))
    monkeypatch.setattr(mounting, "_store", lambda **arguments: sent.append(arguments))
    monkeypatch.setattr(mounting, "address_of", address_of)
    browser.draw()
    browser.draw()
    assert list(published.values()) == [parts["layer 1"]], "each part has one place in a session"
    first = ["it_part_frame", "it", "it_part_layer 9"]
    assert [one["key"] for one in sent] == 2 * (first if has_server else [*first, "it_part_layer 1"])
    state = sent[1]["data"]
    assert state["parts"] == [header_of(part)["key"] for part in parts.values()]
    expected = {"layer 1": {"key": header_of(parts["layer 1"])["key"], "url": "/media/1.bin"}}
    assert state["later"] == (expected if has_server else {})


def test_parts_are_named_by_its_contents():
    one, other = packed({"a": 1}, {"x": b"12"}), packed({"a": 1}, {"x": b"13"})
    assert header_of(one)["key"] == header_of(packed({"a": 1}, {"x": b"12"}))["key"]
    assert header_of(one)["key"] != header_of(other)["key"]
