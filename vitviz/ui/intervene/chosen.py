"""Which edits a visitor has made, from the link or by hand, and the image that they copy from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import streamlit as st

from ...errors import EditError, ImageError
from ...interventions import Copied, Edit, HeadOff, LayerOff, PatchOff, Temperature, checked
from ...interventions.notation import MOST, from_text, to_text
from ...trace import Trace
from .. import shell, state
from ..board import Column
from ..link import EDITS, SECOND

TOOLS = {"zero": "Off: zero", "mean": "Off: mean", "temperature": "Temperature", "copy": "Copy"}
TEMPERATURES = (0.1, 0.2, 0.5, 0.8, 1.25, 2.0, 5.0, 10.0)
FIRST_TEMPERATURE = 0.5


def current(choice: state.Choice, trace: Trace) -> tuple[Edit, ...]:
    """The visitor's edits, without those that belonged to another model or grid."""
    session, made_for = st.session_state, (choice.model, trace.grid)
    if "edits" not in session:
        _begin(trace)
    elif session.edits_for != made_for:
        same_model = session.edits_for[0] == choice.model
        kept = tuple(edit for edit in session.edits if same_model and not isinstance(edit, PatchOff))
        if len(kept) < len(session.edits):
            session.notices.append("What was switched off in another model or grid is not switched off here.")
        session.edits = kept
        shell.show_notices()
    session.edits_for = made_for
    return session.edits


def _begin(trace: Trace) -> None:
    """What the link asks for, or nothing."""
    session = st.session_state
    session.edits = ()
    asked = session.link.get(EDITS, "")
    try:
        session.edits = from_text(asked, trace.config, trace.grid)
    except EditError as error:
        session.notices.append(f"The link's edits were left out: {error}")
    name = session.link.get(SECOND)
    if name in state.samples_for(state.choice().model):
        session.second = state.Picked(name, state.samples()[name], sample=True)
    elif name is not None:
        session.notices.append("The link's second image is not a sample of this server; this is another one.")
    shell.show_notices()


def parameters(trace: Trace) -> dict[str, str]:
    """The query parameters that reopen the edits."""
    edits = st.session_state.edits
    if not edits:
        return {}
    found = {EDITS: to_text(edits, trace.config)}
    if copies(edits):
        picked = second()
        found[SECOND] = picked.name if picked.sample else "own"
    return found


def copies(edits: Iterable[Edit]) -> list[Copied]:
    """Those that need the second image."""
    return [edit for edit in edits if isinstance(edit, Copied)]


# ---------------------------------------------------------------- what the visitor does


def switch(trace: Trace, layer: int, column: Column) -> None:
    """Do to a part of the model what the chosen tool does; or undo it, if that has been done."""
    tool = st.session_state.get("tool") or "zero"
    heads = range(trace.heads) if column == "all" else [] if isinstance(column, str) else [column]
    if tool == "temperature" and not heads:
        st.session_state.edit_problem = "Only heads have a temperature."
        return
    wanted = [_head_edit(tool, layer, head) for head in heads] or [_part_edit(tool, layer, column)]
    if len(heads) == 1:
        shell.remember_view(replace(st.session_state.view, layer=layer, head=column))
    _toggle(trace, wanted)


def switch_patch(trace: Trace, how: str, row: int, column: int) -> None:
    """Switch a patch off in this way; or on again, if it is off in this way."""
    _toggle(trace, [PatchOff(trace.prefix + row * trace.grid[1] + column, how)])


def retune(trace: Trace) -> None:
    """Give the head that is looked at the temperature that has just been set, if it has one already."""
    view, value = st.session_state.view, st.session_state.temperature
    if any(isinstance(edit, Temperature) and edit.target[1:] == (view.layer, view.head) for edit in _edits()):
        _replace(trace, [Temperature(view.layer, view.head, value)])


def undo(edit: Edit) -> None:
    """Take one edit back."""
    st.session_state.edits = tuple(other for other in _edits() if other != edit)


def undo_all() -> None:
    """Take all edits back."""
    st.session_state.edits = ()


def _edits() -> tuple[Edit, ...]:
    return st.session_state.edits


def _toggle(trace: Trace, wanted: list[Edit]) -> None:
    if set(wanted) <= set(_edits()):
        st.session_state.edits = tuple(edit for edit in _edits() if edit not in wanted)
    else:
        _replace(trace, wanted)


def _replace(trace: Trace, wanted: list[Edit]) -> None:
    """Make these edits instead of any others at the same places."""
    places = {_place(edit) for edit in wanted}
    edits = (*(edit for edit in _edits() if _place(edit) not in places), *wanted)
    try:
        if len(edits) > MOST:
            raise EditError(f"A link holds at most {MOST} edits; undo some of them first.")
        st.session_state.edits = checked(edits, trace.config, trace.grid)
    except EditError as error:
        st.session_state.edit_problem = str(error)


def _place(edit: Edit) -> tuple:
    """Where on the board or the picture it is: one thing at a time is done to a head."""
    return ("head", *edit.target[1:]) if isinstance(edit, Temperature) else edit.target


def _head_edit(tool: str, layer: int, head: int) -> Edit:
    if tool == "temperature":
        return Temperature(layer, head, st.session_state.get("temperature", FIRST_TEMPERATURE))
    return Copied(layer, head) if tool == "copy" else HeadOff(layer, head, tool)


def _part_edit(tool: str, layer: int, part: str) -> Edit:
    return Copied(layer, None, part) if tool == "copy" else LayerOff(layer, part, tool)


# ---------------------------------------------------------------- the image to copy from


def second() -> state.Picked:
    """The second image: what was chosen, or the first sample that is not looked at already."""
    choice, session = state.choice(), st.session_state
    offered = state.samples_for(choice.model)
    if "second" in session and (not session.second.sample or session.second.name in offered):
        return session.second
    name = next((name for name in offered if name != choice.picked.name), next(iter(offered)))
    return state.Picked(name, state.samples()[name], sample=True)


def pick_second(name: str) -> None:
    """Copy from one of the samples."""
    st.session_state.second = state.Picked(name, state.samples()[name], sample=True)


def take_second() -> None:
    """Copy from an image of the visitor's own. One that cannot be used is said, and changes nothing."""
    file = st.session_state.second_upload
    if file is None:
        return
    picked = state.Picked(file.name, file.getvalue(), sample=False)
    try:
        state.photo(replace(state.choice(), picked=picked))
    except ImageError as error:
        st.session_state.edit_problem = f"{file.name}: {error}"
    else:
        st.session_state.second = picked
