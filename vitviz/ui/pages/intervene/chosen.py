"""Changing of what the user has chosen: clicks on the board, on the picture and in the list, and the second image."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import streamlit as st

from ....analysis.ablation.edit_tools import head_edit, patch_edit, replace_edits, sublayer_edit, toggle_edits
from ....errors import EditError, ImageError
from ....model.edits import SUBLAYERS, Edit, HeadAblation, PatchEdit, Temperature, checked
from ....notation.edits import format_edits
from ....trace.trace import Trace
from ...app import state
from ...app.views import VIEW
from ...components.board.payload import Column
from .settings import EDITS, SECOND, TEMPERATURE, TOOL


def stays_off(choice: state.Choice) -> bool:
    """Whether patches are off that were switched off in another image."""
    session = st.session_state
    patches = any(isinstance(edit, PatchEdit) for edit in EDITS.now())
    return patches and session.patches_of != choice.picked.digest


def switch(trace: Trace, layer: int, column: Column) -> None:
    """Do to a part of the model what the chosen tool does; or undo it, if that has been done."""
    tool, value = TOOL.get(), TEMPERATURE.get()
    if column in SUBLAYERS:
        _take(trace, lambda edits: toggle_edits(edits, [sublayer_edit(tool, layer, column)]))
        return
    if column != "all":
        wanted = [head_edit(tool, layer, column, value)]
    elif tool == "temperature":
        wanted = [head_edit(tool, layer, head, value) for head in range(trace.heads)]
    else:
        wanted = [sublayer_edit(tool, layer, part) for part in SUBLAYERS]
    _take(trace, lambda edits: toggle_edits(edits, wanted))
    if column != "all":
        VIEW.change(layer=layer, head=column)


def switch_as(trace: Trace, how: str, layer: int, part: int | str) -> None:
    """Switch a head, or a half of a block, off in this way; or on again, if it is off in this way."""
    edit = sublayer_edit(how, layer, part) if isinstance(part, str) else HeadAblation(layer, part, how)
    _take(trace, lambda edits: toggle_edits(edits, [edit]))


def switch_patch(trace: Trace, how: str, row: int, column: int) -> None:
    """Switch a patch off in this way; or on again, if it is off in this way."""
    token = trace.prefix + row * trace.grid[1] + column
    st.session_state.patches_of = st.session_state.picked.digest
    _take(trace, lambda edits: toggle_edits(edits, [patch_edit(how, token)]))


def retune(trace: Trace) -> None:
    """Give the head that is looked at the temperature that has just been set, if it has one already."""
    view, value = VIEW.last(), TEMPERATURE.get()
    if any(edit.target == ("temperature", view.layer, view.head) for edit in EDITS.now()):
        _take(trace, lambda edits: replace_edits(edits, [Temperature(view.layer, view.head, value)]))


def undo(edits: Iterable[Edit]) -> None:
    """Take edits back."""
    EDITS.set(edit for edit in EDITS.now() if edit not in edits)


def _take(trace: Trace, change: Callable[[tuple[Edit, ...]], tuple[Edit, ...]]) -> None:
    """Have other edits from here on; or say why that cannot be, and keep those of before."""
    try:
        edits = checked(change(EDITS.now()), trace.config, trace.grid)
        format_edits(edits, trace.config, trace.grid)  # a link has to hold them
        EDITS.set(edits)
    except EditError as error:
        st.session_state.edit_problem = str(error)


def pick_second(name: str) -> None:
    """Copy from one of the samples, or from the visitor's own image."""
    own = name == state.OWN
    SECOND.set(st.session_state.own if own else state.Picked(name, state.samples()[name], sample=True))


def take_second(name: str, data: bytes) -> None:
    """Copy from an image of the visitor's own. One that cannot be used is said, and changes nothing."""
    picked = state.Picked(name, data, sample=False)
    try:
        state.check_own(picked)
    except ImageError as error:
        st.session_state.edit_problem = str(error)
    else:
        SECOND.set(picked)
