"""The board: all heads of all layers, and the halves of the blocks, each of which can be clicked."""

import logging
from collections.abc import Callable, Mapping
from pathlib import Path

import streamlit as st

from .payload import Cell, Column, Place, payload, read_clicks

__all__ = ["Cell", "Column", "Place", "board"]

_log = logging.getLogger(__name__)
_FOLDER = Path(__file__).parent
HTML, CSS, SCRIPT = ((_FOLDER / f"board.{kind}").read_text("utf-8") for kind in ("html", "css", "js"))
_component = st.components.v2.component("vitviz.board", html=HTML, css=CSS, js=SCRIPT)


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
    heard = f"{key}_heard"
    data = payload(layers, heads, edited, looked_at, st.session_state.setdefault(heard, 0))

    def tell() -> None:
        try:
            clicks, last = read_clicks(st.session_state[key].clicks, layers, heads, st.session_state[heard])
        except ValueError as error:  # the board's script sends only its clicks; this message is somebody else's
            _log.warning("Left out what a browser sent as clicks: %s.", error)
            return
        st.session_state[heard] = last
        for layer, column in clicks:
            on_click(layer, column)

    _component(data=data, key=key, on_clicks_change=tell)
