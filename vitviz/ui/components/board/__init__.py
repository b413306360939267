"""Board of clickable model parts: all heads and sublayers of all layers."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from .._shared import Component, Listener
from .payload import Cell, Column, Place, payload, read_click

__all__ = ["Cell", "Column", "Place", "board"]

component = Component("board", Path(__file__).parent)


def board(
    layers: int,
    heads: int,
    edited: Mapping[Place, Cell],
    *,
    selected: Place | None = None,
    on_click: Callable[[int, Column], None],
    key: str,
) -> None:
    """Draw one row per layer, with its heads and its attention and MLP sublayers. Clicks are handled in Python.

    Args:
        layers: number of layers.
        heads: number of heads per layer.
        edited: edits by layer, from 0, and column: a head, from 0, `"attention"` or `"mlp"`.
        selected: part shown on the rest of the page, drawn with a frame.
        on_click: function called with layer and column for each click, before the page runs again. The column is
            `"all"` for a click on the name of a layer.
        key: identity of the board in the session.

    Raises:
        ValueError: if an edited or selected part is not on the board.
    """
    listener = Listener("a click", partial(read_click, layers=layers, heads=heads), lambda place: on_click(*place))
    component.draw(payload(layers, heads, edited, selected), {"click": listener}, key=key)
