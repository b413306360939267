"""Board of heads and sublayers, and selection of the second image."""

from __future__ import annotations

from functools import partial

import streamlit as st

from ....model.edits import ActivationCopy, Edit, HeadAblation, SublayerAblation, Temperature
from ....notation.view import View
from ....trace.trace import Trace
from ...app import state
from ...app.messages import escape_markdown
from ...components.board import Cell, Place, board
from ...widgets.second_image import LABEL, choose_in_gallery
from . import edit_actions
from .settings import TEMPERATURE, TEMPERATURES, TOOL

TOOLS = {"zero": "Zero", "mean": "Mean", "temperature": "Temperature", "copy": "Patching"}
TOOL_HELP = {
    "zero": "A click ablates a part: its output becomes zero.",
    "mean": "A click ablates a part: its output becomes its mean over the tokens.",
    "temperature": "A click divides a head's scores by this temperature before the softmax: below 1 attention gets "
    "sharper, above 1 more uniform.",
    "copy": "A click patches activations: the output of the part becomes that for the second image, token by token.",
}


def board_panel(trace: Trace, edits: tuple[Edit, ...], view: View) -> None:
    """Draw the tools and the board."""
    tool = TOOL.draw(st.segmented_control, "Click on the board", list(TOOLS), format_func=TOOLS.get, required=True)
    with st.container():  # for all tools, so that the board keeps its place
        if tool == "temperature":
            temperature_slider(trace)
    st.caption(TOOL_HELP[tool])
    selected = None if view.is_pool(trace) or view.head is None else (view.layer, view.head)
    board(
        trace.layers,
        trace.heads,
        _cells(edits),
        selected=selected,
        on_click=lambda layer, column: edit_actions.toggle(trace, layer, column),
        key="board",
    )


def temperature_slider(trace: Trace) -> None:
    """Draw the slider of the temperature that a click sets."""
    TEMPERATURE.draw(
        st.select_slider,
        "Temperature",
        TEMPERATURES,
        then=partial(edit_actions.retune, trace),
        format_func="{:g}".format,
        help="Click heads to set this temperature. Moving the slider changes the head that you clicked last.",
    )


def _cells(edits: tuple[Edit, ...]) -> dict[Place, Cell]:
    cells: dict[Place, Cell] = {}
    for edit in edits:
        match edit:
            case HeadAblation(layer, head, how) | SublayerAblation(layer, head, how):
                label = "ablated, zero" if how == "zero" else "ablated, mean over the tokens"
                cells[layer, head] = Cell(how, "0" if how == "zero" else "x̄", label)
            case ActivationCopy(layer, head, part):
                place = layer, part if head is None else head
                cells[place] = Cell("copy", "copy", "patched from the second image")
            case Temperature(layer, head, value):
                drawn = Cell("temperature", f"T {value:g}"[:6], f"temperature {value:g}")
                cells.setdefault((layer, head), drawn)  # a link may also ablate the head, which takes precedence
    return cells


def second_image(second: state.Choice) -> None:
    """Draw the selection of the second image."""
    st.markdown(f"**{LABEL}**, source of the activations: {escape_markdown(second.picked.name)}")
    choose_in_gallery(state.choice(), "intervene_gallery")


def same_grid(trace: Trace, second: state.Choice) -> bool:
    """Return True if both images have the same grid, as activation patching requires; else warn."""
    rows, columns = state.prepared(second).geometry.grid
    if (rows, columns) != trace.grid:
        st.warning(
            f"The second image has {rows} × {columns} patches and this one {trace.grid[0]} × {trace.grid[1]}, so "
            "activations cannot be patched. Choose another fit than “Native”, or another image."
        )
    return (rows, columns) == trace.grid
