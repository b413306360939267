"""The board, and the image to copy from."""

from __future__ import annotations

from functools import partial

import streamlit as st

from ....model.edits import ActivationCopy, Edit, HeadAblation, SublayerAblation, Temperature
from ....notation.view import View
from ....trace.trace import Trace
from ...app import state
from ...app.messages import escape_markdown
from ...app.sidebar import OWN_LABEL
from ...app.uploads import drop_zone
from ...components.board import Cell, Place, board
from ...components.gallery import gallery
from . import chosen
from .settings import TEMPERATURE, TEMPERATURES, TOOL

TOOLS = {"zero": "Zero", "mean": "Mean", "temperature": "Temperature", "copy": "Copy"}
TOOL_WORDS = {
    "zero": "A click switches a part off: what it returns becomes zero.",
    "mean": "A click switches a part off: what it returns becomes its mean over the tokens.",
    "temperature": "A click divides a head's scores by this number before the softmax: below 1 it looks more sharply, "
    "above 1 more evenly.",
    "copy": "A click gives the part what it found in the second image, token by token.",
}


def the_board(trace: Trace, edits: tuple[Edit, ...], view: View) -> None:
    """The tool, and the board on which it is used."""
    tool = TOOL.draw(st.segmented_control, "A click on the board", list(TOOLS), format_func=TOOLS.get, required=True)
    with st.container():  # also for the other tools, so that the board stays where it is
        if tool == "temperature":
            temperature_slider(trace)
    st.caption(TOOL_WORDS[tool])
    selected = None if view.is_pool(trace) or view.head is None else (view.layer, view.head)
    board(
        trace.layers,
        trace.heads,
        _cells(edits),
        selected=selected,
        on_click=lambda layer, column: chosen.switch(trace, layer, column),
        key="board",
    )


def temperature_slider(trace: Trace) -> None:
    """The temperature that a click gives to a head."""
    TEMPERATURE.draw(
        st.select_slider,
        "Temperature",
        TEMPERATURES,
        then=partial(chosen.retune, trace),
        format_func="{:g}".format,
        help="Click heads to give them this temperature. Moving the slider changes the head that you clicked last.",
    )


def _cells(edits: tuple[Edit, ...]) -> dict[Place, Cell]:
    cells: dict[Place, Cell] = {}
    for edit in edits:
        match edit:
            case HeadAblation(layer, head, how) | SublayerAblation(layer, head, how):
                words = "off, zero" if how == "zero" else "off, mean over the tokens"
                cells[layer, head] = Cell(how, "0" if how == "zero" else "x̄", words)
            case ActivationCopy(layer, head, part):
                place = layer, part if head is None else head
                cells[place] = Cell("copy", "copy", "copied from the second image")
            case Temperature(layer, head, value):
                drawn = Cell("temperature", f"T {value:g}"[:6], f"temperature {value:g}")
                cells.setdefault((layer, head), drawn)  # a link may switch the same head off, which counts for more
    return cells


def second_image(trace: Trace, second: state.Choice) -> None:
    """Choosing the image to copy from."""
    picked, offered = second.picked, dict(state.samples_for(second.model))
    own = state.own_beside(state.choice())
    if own is not None:
        offered[state.OWN] = st.session_state.own_thumbnail
    st.markdown(f"**Second image**, to copy from: {escape_markdown(picked.name)}")
    gallery(
        "Second image",
        offered,
        chosen=picked.name if picked.sample else state.OWN if own == picked else None,
        on_choose=chosen.pick_second,
        columns=6,
        titles=False,
        labels={state.OWN: OWN_LABEL},
        key="intervene_gallery",
    )
    drop_zone("Or your own", chosen.take_second, key="intervene_upload")
    if not picked.sample:
        st.caption(
            f"Your image {escape_markdown(picked.name)} is kept in the server's memory only; a copied link opens "
            "without it."
        )


def same_grid(trace: Trace, second: state.Choice) -> bool:
    """Whether the second image has as many patches, so that its tokens can stand in for this one's; else say it."""
    rows, columns = state.prepared(second).geometry.grid
    if (rows, columns) != trace.grid:
        st.warning(
            f"The second image has {rows} × {columns} patches and this one {trace.grid[0]} × {trace.grid[1]}, so "
            "nothing can be copied. Choose another fit than “Native”, or another image."
        )
    return (rows, columns) == trace.grid
