"""What the board in the browser gets, and what it may answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Column = int | Literal["attention", "mlp", "all"]  # a head, a half of the block, or all of the layer
Place = tuple[int, Column]  # layer from 0, and column
COLUMNS: tuple[str, ...] = ("attention", "mlp")
MOST_CLICKS = 100  # that a browser may have waiting


@dataclass(frozen=True)
class Cell:
    """What has been done to a part of the model.

    Attributes:
        kind: `"zero"`, `"mean"`, `"temperature"` or `"copy"`; the style sheet has a shape for each.
        sign: one to five letters that stand in the cell.
        words: the same for those who cannot see it, such as `"off, its output is zero"`.
    """

    kind: Literal["zero", "mean", "temperature", "copy"]
    sign: str
    words: str


def payload(layers: int, heads: int, edited: Mapping[Place, Cell], looked_at: Place | None, heard: int) -> dict:
    """Everything that the board shows; see `board` for the arguments. Equal arguments give equal payloads.

    Raises:
        ValueError: if a cell is not on the board.
    """
    for place in (*edited, *([] if looked_at is None else [looked_at])):
        _on_the_board(place, layers, heads)
    return {
        "layers": layers,
        "heads": heads,
        "cells": [
            {"layer": layer, "column": column, "kind": cell.kind, "sign": cell.sign, "words": cell.words}
            for (layer, column), cell in edited.items()
        ],
        "looked_at": looked_at and list(looked_at),
        "heard": heard,
    }


def read_clicks(message: object, layers: int, heads: int, heard: int) -> tuple[list[Place], int]:
    """The clicks that a browser tells of and that were not heard before, and the number of the last one.

    A browser tells each click until it is answered, so that none is lost while the page is busy.

    Raises:
        ValueError: if it is not a list of clicks on this board. Anybody can send a message.
    """
    if not isinstance(message, list) or len(message) > MOST_CLICKS:
        raise ValueError("not a list of clicks")
    clicks, last = [], heard
    for click in message:
        if not isinstance(click, dict) or set(click) != {"number", "layer", "column"}:
            raise ValueError("not a click")
        number, layer = _whole(click["number"]), _whole(click["layer"])
        column = click["column"] if isinstance(click["column"], str) else _whole(click["column"])
        if column != "all":
            _on_the_board((layer, column), layers, heads)
        elif not 0 <= layer < layers:
            raise ValueError("no such layer")
        if number > last:
            clicks.append((layer, column))
            last = number
    return clicks, last


def _on_the_board(place: Place, layers: int, heads: int) -> None:
    layer, column = place
    known = column in COLUMNS if isinstance(column, str) else 0 <= column < heads
    if not (known and 0 <= layer < layers):
        raise ValueError(f"There is nothing at {place} on a board of {layers} layers of {heads} heads.")


def _whole(value: object) -> int:
    """A whole number from JSON, where some browsers write 3 as 3.0; `True` is none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value // 1 or abs(value) > 2**53:
        raise ValueError("a number that is not whole")
    return int(value)
