"""Payload of the board, and validation of its messages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from ....model.edits import SUBLAYERS, Sublayer
from .._shared import whole_number

Column = int | Sublayer | Literal["all"]  # a head, a sublayer, or the whole layer
Place = tuple[int, Column]  # layer from 0, and column


@dataclass(frozen=True)
class Cell:
    """Edit of a part of the model.

    Attributes:
        kind: kind of edit; the style sheet has a shape for each.
        sign: text in the cell, one to five characters.
        description: accessible description, such as `"ablated, its output is zero"`.
    """

    kind: Literal["zero", "mean", "temperature", "copy"]
    sign: str
    description: str


def payload(layers: int, heads: int, edited: Mapping[Place, Cell], selected: Place | None) -> dict:
    """Return the state of the board; see `board` for the arguments. Equal arguments give equal payloads.

    Raises:
        ValueError: if a cell is not on the board.
    """
    for place in (*edited, *([] if selected is None else [selected])):
        _on_the_board(place, layers, heads)
    return {
        "layers": layers,
        "heads": heads,
        "cells": [
            {"layer": layer, "column": column, "kind": cell.kind, "sign": cell.sign, "description": cell.description}
            for (layer, column), cell in edited.items()
        ],
        "selected": selected and list(selected),
    }


def read_click(message: object, layers: int, heads: int) -> Place:
    """Parse a click sent by a browser.

    Raises:
        ValueError: if the message is invalid or belongs to a board of another size.
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
        raise ValueError(f"{place} is not on a board of {layers} layers with {heads} heads.")
