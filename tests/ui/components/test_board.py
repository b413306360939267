"""vitviz.ui.components.board: what the board gets, and what it may answer."""

import json
import re

import pytest

from vitviz.ui.components.board.payload import Cell, payload, read_click

OFF = Cell("zero", "0", "ablated, zero")


def click(layer, column, layers=3, heads=4):
    return {"layer": layer, "column": column, "layers": layers, "heads": heads}


def test_the_payload_is_json_and_says_all():
    data = payload(3, 4, {(0, 2): OFF, (2, "mlp"): OFF}, (1, 3))
    assert json.loads(json.dumps(data)) == data
    assert data["cells"][1] == {
        "layer": 2,
        "column": "mlp",
        "kind": "zero",
        "sign": "0",
        "description": "ablated, zero",
    }
    assert (data["layers"], data["heads"], data["selected"]) == (3, 4, [1, 3])
    assert payload(3, 4, {}, None)["selected"] is None


@pytest.mark.parametrize("place", [(3, 0), (-1, 0), (0, 4), (0, -1), (0, "all"), (0, "norm")])
def test_nothing_is_marked_that_is_not_on_the_board(place):
    with pytest.raises(ValueError, match=rf"{re.escape(str(place))}.*\b3\b.*\b4\b"):
        payload(3, 4, {place: OFF}, None)
    with pytest.raises(ValueError, match=rf"{re.escape(str(place))}.*\b3\b.*\b4\b"):
        payload(3, 4, {}, place)


@pytest.mark.parametrize(
    ("layer", "column", "place"),
    [(0, 0, (0, 0)), (2, "attention", (2, "attention")), (1.0, 3.0, (1, 3)), (1, "all", (1, "all"))],
)
def test_a_click_is_read(layer, column, place):
    assert read_click(click(layer, column), 3, 4) == place


@pytest.mark.parametrize(
    "message",
    [
        None,
        "clicks",
        {},
        [0, 0],
        click(0, 4),
        click(3, 0),
        click(-1, "all"),
        click(3, "all"),
        click(0, "norm"),
        click(0, None),
        click(True, 0),
        click(0.5, 0),
        click(float("nan"), 0),
        {**click(0, 0), "more": 1},
        click(0, 0, layers=12, heads=6),  # of the model that was shown before
    ],
)
def test_a_message_that_is_no_click_on_this_board_is_refused(message):
    with pytest.raises(ValueError, match=r"."):
        read_click(message, 3, 4)
