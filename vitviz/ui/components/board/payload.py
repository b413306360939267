"""What the board in the browser gets, and what it may answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from ....model.edits import SUBLAYERS, Sublayer
from .._shared import whole_number

Column = int | Sublayer | Literal["all"]  # a head, a half of the block, or all of the layer
Place = tuple[int, Column]  # layer from 0, and column


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


def payload(layers: int, heads: int, edited: Mapping[Place, Cell], looked_at: Place | None) -> dict:
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
    }


def read_click(message: object, layers: int, heads: int) -> Place:
    """Where a browser says was clicked.

    Raises:
        ValueError: if it is no place on this board. Anybody can send a message; and on the board that was shown before,
            the same place may have been another part.
    """
    if not isinstance(message, dict) or set(message) != {"layer", "column", "layers", "heads"}:
        raise ValueError("not a click")
    if (message["layers"], message["heads"]) != (layers, heads):
        raise ValueError("a click on another board")
    layer, column = whole_number(message["layer"]), message["column"]
    column = column if isinstance(column, str) else whole_number(column)
    if column != "all":
        _on_the_board((layer, column), layers, heads)
    elif not 0 <= layer < layers:
        raise ValueError("no such layer")
    return layer, column


def _on_the_board(place: Place, layers: int, heads: int) -> None:
    layer, column = place
    known = column in SUBLAYERS if isinstance(column, str) else 0 <= column < heads
    if not (known and 0 <= layer < layers):
        raise ValueError(f"There is nothing at {place} on a board of {layers} layers of {heads} heads.")
