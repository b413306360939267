"""Cells of the heat maps of the page "Compare": what is drawn, and which cell a click chooses."""

import numpy as np
import pytest

from vitviz.ui.pages.compare import cells

VALUES = np.array([[0.1, 0.2, np.nan], [0.4, 0.5, 0.6]])


def test_every_cell_has_its_place_value_and_number():
    heat, points = cells.heat_map(VALUES, "layer", "head", "cosine").data
    assert list(heat.x) == ["1", "2", "3"]
    assert list(heat.y) == ["1", "2"]
    for number, (x, y, text) in enumerate(zip(points.x, points.y, points.text, strict=True)):
        row, column = int(y) - 1, int(x) - 1
        assert points.customdata[number] == number == 3 * row + column
        assert text == ("" if np.isnan(VALUES[row, column]) else f"{VALUES[row, column]:.3f}")


def test_the_chosen_cell_has_a_frame():
    assert not cells.heat_map(VALUES, "layer", "head", "cosine").layout.shapes
    (box,) = cells.heat_map(VALUES, "layer", "head", "cosine", (1, 2)).layout.shapes
    assert (box.x0, box.x1, box.y0, box.y1) == (1.5, 2.5, 0.5, 1.5)


@pytest.fixture
def click(monkeypatch):
    """Sends selections as browsers do, and returns the cells that were chosen."""
    session, chosen, takes = {}, [], []
    monkeypatch.setattr("streamlit.session_state", session)
    monkeypatch.setattr(cells, "draw_chart", lambda *_, on_select, **__: takes.append(on_select))
    figure = cells.heat_map(VALUES, "layer", "head", "cosine")
    cells.draw_cells(figure, "chart", "A chart", VALUES.shape, lambda *cell: chosen.append(cell))

    def send(*numbers: object) -> list:
        session["chart"] = {"selection": {"points": [{"customdata": number} for number in numbers]}}
        takes[-1]()
        return chosen

    return send


def test_a_click_chooses_a_cell_and_a_second_one_again(click):
    assert click() == []
    assert click(5) == [(1, 2)]
    assert click() == [(1, 2), (1, 2)], "a second click clears the selection"
    assert click(1)[-1] == (0, 1)


@pytest.mark.parametrize("number", [-1, 6, 10**9, "1", None, 1.5, True])
def test_what_is_no_cell_is_ignored(click, number):
    assert click(number) == []
