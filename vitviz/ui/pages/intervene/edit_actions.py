"""Callbacks that change the edits and the second image: clicks on the board, the image and the edit list."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import streamlit as st

from ....analysis.ablation.edit_tools import head_edit, patch_edit, replace_edits, sublayer_edit, toggle_edits
from ....errors import EditError
from ....model.edits import SUBLAYERS, Edit, HeadAblation, PatchEdit, Temperature, checked
from ....notation.edits import format_edits
from ....trace.trace import Trace
from ...app import state
from ...app.views import VIEW
from ...components.board.payload import Column
from .settings import EDITS, TEMPERATURE, TOOL


def keeps_patch_edits(choice: state.Choice) -> bool:
    """Return True if patch edits were made in another image."""
    session = st.session_state
    patches = any(isinstance(edit, PatchEdit) for edit in EDITS.now())
    return patches and session.patches_of != choice.picked.digest


def toggle(trace: Trace, layer: int, column: Column) -> None:
    """Apply the chosen tool to a part of the model, or undo it if it has been applied."""
    tool, value = TOOL.get(), TEMPERATURE.get()
    if column in SUBLAYERS:
        _take(trace, lambda edits: toggle_edits(edits, [sublayer_edit(tool, layer, column)]))
        return
    if column != "all":
        new = [head_edit(tool, layer, column, value)]
    elif tool == "temperature":
        new = [head_edit(tool, layer, head, value) for head in range(trace.heads)]
    else:
        new = [sublayer_edit(tool, layer, part) for part in SUBLAYERS]
    _take(trace, lambda edits: toggle_edits(edits, new))
    if column != "all":
        VIEW.change(layer=layer, head=column)


def toggle_ablation(trace: Trace, how: str, layer: int, part: int | str) -> None:
    """Ablate a head or a sublayer in this way, or undo the same ablation."""
    edit = sublayer_edit(how, layer, part) if isinstance(part, str) else HeadAblation(layer, part, how)
    _take(trace, lambda edits: toggle_edits(edits, [edit]))


def toggle_patch(trace: Trace, how: str, row: int, column: int) -> None:
    """Mask or ablate a patch in this way, or undo the same edit."""
    token = trace.prefix + row * trace.grid[1] + column
    st.session_state.patches_of = st.session_state.picked.digest
    _take(trace, lambda edits: toggle_edits(edits, [patch_edit(how, token)]))


def retune(trace: Trace) -> None:
    """Apply the new temperature to the head in view if it already has a temperature."""
    view, value = VIEW.last(), TEMPERATURE.get()
    if any(edit.target == ("temperature", view.layer, view.head) for edit in EDITS.now()):
        _take(trace, lambda edits: replace_edits(edits, [Temperature(view.layer, view.head, value)]))


def undo(edits: Iterable[Edit]) -> None:
    """Undo edits."""
    EDITS.set(edit for edit in EDITS.now() if edit not in edits)


def _take(trace: Trace, change: Callable[[tuple[Edit, ...]], tuple[Edit, ...]]) -> None:
    """Change the edits; if the change is invalid, report the error and keep the edits."""
    try:
        edits = checked(change(EDITS.now()), trace.config, trace.grid)
        format_edits(edits, trace.config, trace.grid)  # raises if a link cannot hold them
        EDITS.set(edits)
    except EditError as error:
        st.session_state.edit_problem = str(error)
