"""The board: all heads of all layers, and the halves of the blocks, each of which can be clicked."""

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
    looked_at: Place | None = None,
    on_click: Callable[[int, Column], None],
    key: str,
) -> None:
    """Draw a row for each layer: its heads, and its attention and MLP as wholes. A click is told; Python answers.

    Args:
        layers: how many rows.
        heads: how many heads a layer has.
        edited: what has been done, by layer from 0 and column: a head from 0, `"attention"` or `"mlp"`.
        looked_at: the part that the rest of the page is about; it is framed.
        on_click: called with layer and column for each click, before the page runs again; the column is `"all"` for
            a click on the name of the layer.
        key: identity of this board in the session.

    Raises:
        ValueError: if something is marked that is not on the board.
    """
    listener = Listener("a click", partial(read_click, layers=layers, heads=heads), lambda place: on_click(*place))
    component.draw(payload(layers, heads, edited, looked_at), {"click": listener}, key=key)
