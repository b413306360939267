"""The classes of the page "Teach" and a browser: what is sent, and what is taken from it."""

import json
from unittest.mock import Mock

import pytest

from tests.support.app_pages import picture
from tests.support.fake_browser import Browser, message
from vitviz.ui.components import _shared as mounting
from vitviz.ui.components import class_sets
from vitviz.ui.components.class_sets import Actions, ShownClass, ShownImage
from vitviz.viz.browser.binary import header_of

MARKS = ("0" * 16, "a" * 16)
CLASSES = [
    ShownClass(1, "<b>mug</b>", [ShownImage(MARKS[0], "a.png", picture(8, "JPEG"))]),
    ShownClass(4, "glass", [ShownImage(MARKS[1], "b.png", picture(9, "JPEG"))]),
]
NAMES = ("add_image", "add_class", "rename_class", "remove_class", "remove_images", "move_images", "report")


@pytest.fixture
def heard():
    return Mock()


@pytest.fixture
def zone(monkeypatch):
    """The hidden uploader; its `take` gets the name and the content of a file."""
    found = Mock()

    def note(label, take, **_):
        found.take = take

    monkeypatch.setattr(class_sets, "drop_zone", note)
    return found


@pytest.fixture
def stored(monkeypatch):
    """Payloads by key of the element that stores them."""
    found = {}
    monkeypatch.setattr(mounting, "_store", lambda data, key: found.update({key: data}))
    return found


@pytest.fixture
def browser(monkeypatch, heard, zone, stored):
    actions = Actions(*(getattr(heard, name) for name in NAMES))
    browser = Browser(
        monkeypatch,
        class_sets.component,
        lambda: class_sets.class_sets(CLASSES, actions, least=2, most=10, longest=40, key="it"),
    )
    browser.session["class_sets_files_turn"] = 0
    return browser


def test_names_are_sent_as_text_and_thumbnails_once(browser, stored):
    browser.draw()
    data = browser.drawn["data"]
    assert [(one["number"], one["name"]) for one in data["classes"]] == [(1, "<b>mug</b>"), (4, "glass")]
    assert json.loads(json.dumps(data))["classes"][1]["images"] == [[MARKS[1], "b.png"]]
    (payload,) = stored.values()
    header = header_of(payload)
    assert data["parts"] == [header["key"]]
    start = 4 + int.from_bytes(payload[:4], "little")
    for one in CLASSES:
        (image,) = one.images
        at, size = header["sections"][image.mark]
        assert payload[start + at : start + at + size] == image.thumbnail


@pytest.mark.parametrize(
    ("event", "value", "name", "arguments"),
    [
        ("add", True, "add_class", ()),
        ("rename", [1, "cup"], "rename_class", (1, "cup")),
        ("discard", 4, "remove_class", (4,)),
        ("remove", [MARKS[0]], "remove_images", ((MARKS[0],),)),
        ("move", [[MARKS[0]], 4], "move_images", ((MARKS[0],), 4)),
    ],
)
def test_each_action_is_heard(browser, heard, event, value, name, arguments):
    browser.tell(message(1, event, value))
    assert [(call[0], call[1]) for call in heard.method_calls] == [(name, arguments)]


@pytest.mark.parametrize("event", ["refused", "missing", "lost"])
def test_what_does_not_arrive_is_reported(browser, heard, event):
    browser.tell(message(1, event, "photo.jpg" if event == "refused" else 3))
    ((sentence,), _) = heard.report.call_args
    assert ("photo.jpg" if event == "refused" else "3 of your images") in sentence
    assert browser.session["class_sets_files_turn"] == (event == "lost"), "a new uploader, if this one is stuck"


@pytest.mark.parametrize(
    ("event", "value"),
    [
        ("rename", [1]),
        ("rename", [1, "x" * 201]),
        ("rename", "mug"),
        ("remove", "all"),
        ("remove", [1]),
        ("remove", ["x"] * 1001),
        ("move", [["x"], "y"]),
        ("move", ["x"]),
        ("discard", True),
        ("lost", None),
    ],
)
def test_other_messages_are_ignored(browser, heard, event, value):
    browser.tell(message(1, event, value))
    assert not heard.method_calls


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("2.0.cat.jpg", (2, "cat.jpg", b"x", "")),
        ("12.1732.camera 1.jpg", (12, "camera 1.jpg", b"x", "1732")),
        ("1.0.a.b\n.png", (1, "a.b\n.png", b"x", "")),
        ("1.0.", (1, "image", b"x", "")),
    ],
)
def test_the_name_of_a_file_has_its_class_and_series(browser, heard, zone, name, arguments):
    browser.draw()
    zone.take(name, b"x")
    heard.add_image.assert_called_once_with(*arguments)
    browser.draw()
    assert browser.drawn["data"]["taken"] == 1


@pytest.mark.parametrize("name", ["cat.jpg", "1.cat.jpg", "a.0.cat.jpg", "1.-1.cat.jpg", ""])
def test_other_files_are_counted_and_ignored(browser, heard, zone, name):
    browser.draw()
    zone.take(name, b"x")
    assert not heard.method_calls
    browser.draw()
    assert browser.drawn["data"]["taken"] == 1
