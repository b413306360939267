"""The flattened patch: its payload, what it takes from a browser, and the order of its numbers."""

import base64
import json
import logging

import numpy as np
import pytest

from tests.support import node_runner
from tests.support.fake_browser import Browser, message
from vitviz.ui.components import flattening
from vitviz.ui.components.flattening.payload import payload, read_choice
from vitviz.ui.widgets.strips import number
from vitviz.viz.colour import paint, tone
from vitviz.walkthrough import sequence

RGB = ("red", "green", "blue")
PIXELS = np.linspace(-1, 2, 48).reshape(4, 4, 3)
PICTURE = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)


def decoded(text: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), np.uint8)


def test_each_number_has_its_text_and_the_librarys_colour():
    data = payload(PICTURE, PIXELS, RGB, 5)
    vector = sequence.flattened(PIXELS)
    assert data["labels"] == [number(float(value)) for value in vector]
    shown = decoded(data["colours"]).reshape(256, 4)[decoded(data["tones"])]
    assert (shown[:, :3] == paint(tone(vector, "relative", 1, signed=True), "relative", signed=True)).all()
    assert (shown[:, 3] == 255).all()
    assert (decoded(data["picture"]).reshape(4, 4, 4)[..., :3] == PICTURE).all()
    assert (data["side"], data["channels"], data["chosen"]) == (4, list(RGB), 5)
    assert (data["low"], data["high"]) == (number(-2), number(2))


def test_equal_patches_have_equal_payloads_that_are_json():
    assert json.dumps(payload(PICTURE, PIXELS, RGB, np.int64(5))) == json.dumps(payload(PICTURE, PIXELS.copy(), RGB, 5))


def test_one_channel():
    data = payload(PICTURE[..., [0, 0, 0]], PIXELS[..., :1], ("grey",), 15)
    assert len(data["labels"]) == 16


@pytest.mark.parametrize(
    "call",
    [
        lambda: payload(PICTURE, PIXELS, RGB, 48),
        lambda: payload(PICTURE, PIXELS, RGB, -1),
        lambda: payload(PICTURE, PIXELS, ("grey",), 0),
        lambda: payload(PICTURE[:3], PIXELS, RGB, 0),
        lambda: payload(PICTURE / 255, PIXELS, RGB, 0),
        lambda: payload(PICTURE[..., 0], PIXELS, RGB, 0),
    ],
)
def test_what_is_not_one_patch_is_refused(call):
    with pytest.raises(ValueError, match=r"one patch|outside"):
        call()


@pytest.mark.parametrize("index", [0, 47, 47.0])
def test_a_component_is_taken(index):
    assert read_choice({"index": index, "count": 48}, 48) == int(index)


@pytest.mark.parametrize(
    "sent",
    [
        None,
        7,
        {"index": 7},
        {"index": 48, "count": 48},
        {"index": -1, "count": 48},
        {"index": True, "count": 48},
        {"index": "7", "count": 48},
        {"index": 7, "count": 588},
        {"index": 7, "count": 48, "more": 1},
    ],
)
def test_other_messages_are_refused(sent):
    with pytest.raises(ValueError, match=r"\b(component|number)\b"):
        read_choice(sent, 48)


@pytest.mark.parametrize(("side", "channels"), [(4, 3), (3, 1)])
def test_the_order_in_the_browser_is_that_of_the_library(side, channels):
    found = node_runner.run(
        """
        import { indexAt, placeOf } from "./flattening/order.js";
        const { count, side, channels } = given;
        answer(Array.from({ length: count }, (_, i) => {
          const { row, column, channel } = placeOf(i, side, channels);
          return [row, column, channel, indexAt(row, column, channel, side, channels)];
        }));
        """,
        {"side": side, "channels": channels, "count": side * side * channels},
    )
    expected = [[*sequence.unflatten_index(i, side, channels), i] for i in range(side * side * channels)]
    assert found == expected


def test_neighbours_and_the_animation():
    found = node_runner.run(
        """
        import { seenFrom, shownAt } from "./flattening/order.js";
        answer([
          [0, 7, 20, 47].map((index) => seenFrom(index, 15, 48)), seenFrom(3, 15, 9),
          [0, 0.5, 0.999, 1].map((done) => shownAt(done, 48)),
        ]);
        """
    )
    assert found == [[[0, 15], [0, 15], [13, 28], [33, 48]], [0, 9], [0, 24, 47, None]]


@pytest.fixture
def answer(monkeypatch):
    """Draw a patch and let a browser answer; returns what the page hears."""

    def answered(value) -> list:
        heard = []

        def draw() -> None:
            flattening.flattening(PICTURE, PIXELS, RGB, 5, on_choose=heard.append, key="it")

        Browser(monkeypatch, flattening.component, draw).tell(message(1, "chosen", value))
        return heard

    return answered


def test_the_page_hears_of_a_choice(answer):
    assert answer({"index": 7, "count": 48}) == [7]


def test_what_only_a_stranger_sends_is_logged_and_left_out(answer, caplog):
    with caplog.at_level(logging.WARNING):
        assert answer({"index": "<script>", "count": 48}) == []
    assert "a component of a vector" in caplog.text
    assert "<script>" not in caplog.text
