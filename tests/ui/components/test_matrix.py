"""The matrix's payload, and what it takes from a browser."""

import base64
import io
import json
import logging

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from tests.support.app_pages import PATIENCE
from tests.support.fake_browser import Browser, message
from vitviz.ui.components import matrix
from vitviz.ui.components.matrix import drawn, sequence_matrix
from vitviz.ui.components.matrix.payload import payload, read_choice
from vitviz.ui.widgets.symbols import SYMBOLS
from vitviz.viz.colour import QUERY, paint, tone

GRID = (2, 3)
NUMBERS = np.linspace(-1, 2, 7 * 200).reshape(7, 200)


def photo() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (30, 20), "red").save(buffer, "JPEG")
    return buffer.getvalue()


def sent(chosen: int = 3, prefix: tuple[str, ...] = ("class token",), numbers: np.ndarray = NUMBERS) -> dict:
    return payload(drawn(numbers), prefix, GRID, photo(), "a <b>cat</b>", chosen)


def opened(address: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2]))))


def test_each_number_is_one_pixel_in_the_librarys_colours():
    picture = drawn(NUMBERS)
    shown = opened(sent()["matrix"])
    assert shown.shape == (7, 200, 3)
    assert (shown == paint(tone(NUMBERS, "relative", 1, picture.largest, signed=True), "relative", signed=True)).all()
    assert opened(sent()["bar"]).shape == (1, 256, 3)


def test_the_scale_says_its_ends_and_how_many_numbers_exceed_it():
    picture, data = drawn(NUMBERS), sent()
    assert picture.larger == (np.abs(NUMBERS) > picture.largest).sum() == 7
    assert (data["low"], data["high"]) == (f"−{picture.largest:.4f}", f"{picture.largest:.4f}")
    assert data["larger"].startswith("7 of 1,400 numbers")
    assert not sent(numbers=np.ones((7, 2)))["larger"]


def test_only_matrices_of_finite_numbers_are_drawn():
    with pytest.raises(ValueError, match=r"\(3,\)"):
        drawn(np.zeros(3))
    with pytest.raises(ValueError, match="finite"):
        drawn(np.full((2, 2), np.nan))


@pytest.mark.parametrize(
    ("prefix", "words"),
    [((), " = 6 tokens"), (("class token",), " + 1 = 7 tokens"), (("class token", "register 1"), " + 2 = 8 tokens")],
)
def test_the_axes_count_what_the_model_has(prefix, words):
    data = sent(0, prefix, np.zeros((6 + len(prefix), 4)))
    assert data["down"] == {"symbol": "N", "meaning": f"N: {SYMBOLS['N'].meaning}", "text": words}
    assert data["across"]["text"] == " = 4 numbers"
    assert data["prefix"] == list(prefix)


def test_equal_pages_send_equal_payloads_that_are_json():
    assert json.dumps(sent()) == json.dumps(sent(np.int64(3), numbers=NUMBERS.copy()))


def test_rows_that_are_not_there_are_refused():
    for row in (-1, 7):
        with pytest.raises(ValueError, match="Row"):
            sent(row)
    with pytest.raises(ValueError, match="prefix tokens"):
        sent(prefix=())


def choice(row, rows=7):
    return {"row": row, "rows": rows}


def test_a_choice_is_read():
    assert read_choice(choice(0), 7) == 0
    assert read_choice(choice(6.0), 7) == 6


HOSTILE = [
    None,
    "row",
    3,
    [3],
    {},
    {"row": 3},
    {**choice(3), "column": 1},
    {"Row": 3, "rows": 7},
    *(choice(row) for row in (-1, 7, 0.5, True, "0", "<script>", None, [], {}, 1e400, float("nan"), 10**40)),
    choice(3, rows=65),  # on its way when the matrix became another
]


@pytest.mark.parametrize("message", HOSTILE, ids=repr)
def test_anything_else_is_refused(message):
    with pytest.raises(ValueError, match=r"^not a\b|\brow\b"):
        read_choice(message, 7)


@pytest.fixture
def answer(monkeypatch):
    """Draw a matrix and let a browser answer; returns what the page hears."""

    def answered(value) -> list:
        heard = []

        def draw() -> None:
            sequence_matrix(drawn(NUMBERS), ("class token",), GRID, photo(), "cat", 0, on_choose=heard.append, key="it")

        Browser(monkeypatch, matrix.component, draw).tell(message(1, "chosen", value))
        return heard

    return answered


def test_the_page_hears_of_a_choice(answer):
    assert answer(choice(5)) == [5]


@pytest.mark.parametrize("value", HOSTILE, ids=repr)
def test_what_only_a_stranger_sends_is_logged_and_left_out(answer, value, caplog):
    with caplog.at_level(logging.WARNING):
        assert answer(value) == []
    assert "a row" in caplog.text
    assert "<script>" not in caplog.text


def test_it_appears_in_a_page():
    def page():
        import io

        import numpy as np
        from PIL import Image

        from vitviz.ui.components.matrix import drawn, sequence_matrix

        buffer = io.BytesIO()
        Image.new("RGB", (30, 20)).save(buffer, "JPEG")
        matrix = drawn(np.arange(24.0).reshape(6, 4))
        sequence_matrix(matrix, (), (2, 3), buffer.getvalue(), "cat", 0, on_choose=print, key="m")

    assert not AppTest.from_function(page).run(timeout=PATIENCE).exception


def test_its_colours_are_those_of_the_other_pictures_and_of_the_formulas():
    assert f"--query: {QUERY};" in matrix.component.css
    assert SYMBOLS["D"].dark in matrix.component.css
