"""vitviz.ui.board: what the board gets, and what it may answer."""

import json

import pytest

from vitviz.ui.board.payload import Cell, payload, read_clicks

OFF = Cell("zero", "0", "off, zero")


def click(number, layer, column):
    return {"number": number, "layer": layer, "column": column}


def test_the_payload_is_json_and_says_all():
    data = payload(3, 4, {(0, 2): OFF, (2, "mlp"): OFF}, (1, 3), 7)
    assert json.loads(json.dumps(data)) == data
    assert data["cells"][1] == {"layer": 2, "column": "mlp", "kind": "zero", "sign": "0", "words": "off, zero"}
    assert (data["layers"], data["heads"], data["looked_at"], data["heard"]) == (3, 4, [1, 3], 7)
    assert payload(3, 4, {}, None, 0)["looked_at"] is None


@pytest.mark.parametrize("place", [(3, 0), (-1, 0), (0, 4), (0, -1), (0, "all"), (0, "norm")])
def test_nothing_is_marked_that_is_not_on_the_board(place):
    with pytest.raises(ValueError, match="nothing at"):
        payload(3, 4, {place: OFF}, None, 0)
    with pytest.raises(ValueError, match="nothing at"):
        payload(3, 4, {}, place, 0)


def test_clicks_are_heard_once_and_in_order():
    told = [click(1, 0, 0), click(2, 2, "attention"), click(3.0, 1.0, 3.0), click(4, 1, "all")]
    assert read_clicks(told[:2], 3, 4, 0) == ([(0, 0), (2, "attention")], 2)
    assert read_clicks(told, 3, 4, 2) == ([(1, 3), (1, "all")], 4)
    assert read_clicks(told, 3, 4, 4) == ([], 4)


@pytest.mark.parametrize(
    "message",
    [
        None,
        "clicks",
        {},
        [None],
        [[1, 0, 0]],
        [click(1, 0, 4)],
        [click(1, 3, 0)],
        [click(1, -1, "all")],
        [click(1, 3, "all")],
        [click(1, 0, "norm")],
        [click(1, 0, None)],
        [click(1, True, 0)],
        [click(1, 0.5, 0)],
        [click(float("nan"), 0, 0)],
        [click(float("inf"), 0, 0)],
        [click("2", 0, 0)],
        [{**click(1, 0, 0), "more": 1}],
        [click(1, 0, 0)] * 101,
    ],
)
def test_a_message_that_is_no_list_of_clicks_is_refused(message):
    with pytest.raises(ValueError, match=r"."):
        read_clicks(message, 3, 4, 0)
