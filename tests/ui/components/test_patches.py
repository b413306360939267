"""The patch picker's payload, and what it takes from a browser."""

import base64
import io
import json
import logging
import re

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from tests.support.app_pages import PATIENCE
from tests.support.fake_browser import Browser, message
from vitviz.ui.components import patches
from vitviz.ui.components.patches import Overlay, patch_picker
from vitviz.ui.components.patches.payload import payload, read_choice
from vitviz.viz.colour import KEY, QUERY, overlay_map, paint, tone

GRID = (2, 3)
VALUES = np.array([[0, 1, 2], [3, 4, 5]], np.float32) / 15


def file(kind: str) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (30, 20), "red").save(buffer, kind)
    return buffer.getvalue()


def sent(**options) -> dict:
    return payload(file("JPEG"), "a <b>cat</b>", GRID, (1, 2), **options)


def decoded(text: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), np.uint8)


def test_equal_pages_send_equal_payloads():
    assert json.dumps(sent(overlay=Overlay(VALUES, "x"))) == json.dumps(sent(overlay=Overlay(VALUES.copy(), "x")))


def test_numpys_numbers_are_sent_too():
    data = payload(file("JPEG"), "cat", tuple(np.array(GRID)), tuple(np.array([1, 2])), (np.int64(0), np.int64(0)))
    assert json.loads(json.dumps(data))["chosen"] == [1, 2]


def test_the_picture_is_sent_as_it_is():
    for kind in ("JPEG", "PNG"):
        start, _, text = payload(file(kind), "cat", GRID, None)["picture"].partition(",")
        assert start == f"data:image/{kind.lower()};base64"
        assert base64.b64decode(text) == file(kind)


def test_what_is_chosen_is_in_the_grid():
    assert sent()["chosen"] == [1, 2]
    assert sent()["second"] is None
    assert sent(second=(0, 0))["second"] == [0, 0]
    for patch in ((2, 0), (0, 3), (-1, 0)):
        with pytest.raises(ValueError, match=re.escape(f"{patch}") + r".*\(2, 3\)"):
            sent(second=patch)
    with pytest.raises(ValueError, match=r"query or key.*'value'"):
        sent(choosing="value")


@pytest.mark.parametrize(
    ("scale", "signed"), [("relative", False), ("raw", False), ("uniform", False), ("relative", True)]
)
def test_a_map_has_the_librarys_colours(scale, signed):
    values = VALUES - 0.1 if signed else VALUES
    data = sent(overlay=Overlay(values, "x", scale=scale, signed=signed, tokens=6))["overlay"]
    shown = decoded(data["colours"]).reshape(256, 4)[decoded(data["tones"])].reshape(2, 3, 4)
    assert (shown == paint(tone(values, scale, 6, signed=signed), scale, signed, over=True)).all()
    assert (decoded(data["colours"]).reshape(256, 4) == overlay_map(scale, signed)).all()


def test_a_map_says_its_numbers():
    data = sent(overlay=Overlay(VALUES, "Layer 1"))["overlay"]
    assert (data["low"], data["high"], data["caption"]) == ("0", "33.3 %", "Layer 1")
    assert data["labels"] == ["0 %", "6.67 %", "13.3 %", "20.0 %", "26.7 %", "33.3 %"]
    cosine = Overlay(VALUES - 0.2, "cosine", signed=True, largest=1.0, format="{:.2f}".format)
    assert cosine.ends() == ("-1.00", "1.00")
    assert cosine.tones()[1, 0] == 128, "0 is the middle"
    assert Overlay(VALUES, "x", scale="raw").ends() == ("0", "100.0 %")
    assert Overlay(VALUES, "x", scale="uniform", tokens=6).ends() == ("≤ 1/32 × uniform", "≥ 32 × uniform")


def test_a_map_that_would_mislead_is_refused():
    with pytest.raises(ValueError, match="signed=True"):
        Overlay(VALUES - 0.1, "x")
    with pytest.raises(ValueError, match="finite"):
        Overlay(VALUES * np.nan, "x")
    with pytest.raises(ValueError, match=r"shape \(3, 2\)"):
        sent(overlay=Overlay(VALUES.T, "x"))


def choice(role="query", row=0, column=0, grid=GRID):
    return {"role": role, "row": row, "column": column, "grid": list(grid)}


def test_a_choice_is_read():
    assert read_choice(choice("query", 1, 2), GRID, ("query",)) == ("query", 1, 2)
    assert read_choice(choice("key", 0.0, 0), GRID, ("query", "key")) == ("key", 0, 0)


HOSTILE = [
    None,
    "query",
    [1, 2],
    {},
    {"role": "query", "row": 1, "column": 2},
    {**choice(), "more": 1},
    *(choice(role) for role in ("key", "value", None, [], {})),
    *(choice(row=row) for row in (-1, 2, 0.5, True, "0", None, [], 1e400, float("nan"), 10**40)),
    *(choice(column=column) for column in (-1, 3, "<script>", {})),
    choice(grid=(4, 6)),  # on its way when the grid became another
    {**choice(), "grid": None},
]


@pytest.mark.parametrize("message", HOSTILE, ids=repr)
def test_anything_else_is_refused(message):
    with pytest.raises(ValueError, match=r"^not a\b|\b(patch|role)\b"):
        read_choice(message, GRID, ("query",))


@pytest.fixture
def answer(monkeypatch):
    """Draw a picker and let a browser answer; returns what the page hears."""

    def answered(value, **options) -> list:
        heard = []
        listen = lambda role: lambda row, column: heard.append((role, row, column))  # noqa: E731
        if options.get("choosing") == "key":
            options["on_key"] = listen("key")

        def draw() -> None:
            patch_picker(file("JPEG"), "cat", GRID, (0, 0), on_choose=listen("query"), key="it", **options)

        Browser(monkeypatch, patches.component, draw).tell(message(1, "chosen", value))
        return heard

    return answered


def test_the_page_hears_of_a_choice(answer):
    assert answer(choice("query", 1, 2)) == [("query", 1, 2)]
    assert answer(choice("key", 1, 2), choosing="key") == [("key", 1, 2)]
    assert answer(choice("query", 1, 2), choosing="key") == [("query", 1, 2)], "on its way before"


@pytest.mark.parametrize("value", HOSTILE, ids=repr)
def test_what_only_a_stranger_sends_is_logged_and_left_out(answer, value, caplog):
    with caplog.at_level(logging.WARNING):
        assert answer(value) == []
    assert "a patch" in caplog.text
    assert "<script>" not in caplog.text


def test_keys_need_a_listener():
    with pytest.raises(ValueError, match="on_key"):
        patch_picker(file("JPEG"), "cat", GRID, None, on_choose=print, choosing="key", key="p")


def test_it_appears_in_a_page():
    def page():
        import io

        from PIL import Image

        from vitviz.ui.components.patches import patch_picker

        buffer = io.BytesIO()
        Image.new("RGB", (30, 20)).save(buffer, "JPEG")
        patch_picker(buffer.getvalue(), "cat", (2, 3), (0, 0), on_choose=print, key="p")

    assert not AppTest.from_function(page).run(timeout=PATIENCE).exception


def test_its_colours_are_those_of_queries_and_keys():
    assert f"--query: {QUERY};" in patches.component.css
    assert f"--key: {KEY};" in patches.component.css
