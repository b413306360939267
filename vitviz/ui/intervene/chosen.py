"""Which edits a visitor has made, from the link or by hand, and the image that they copy from."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

import streamlit as st

from ...errors import EditError, ImageError
from ...interventions import Copied, Edit, PatchOff, Temperature, checked
from ...interventions.notation import from_text, to_text
from ...interventions.switching import TOOLS, head_edit, part_edit, replaced, switched
from ...trace import Trace
from .. import shell, state
from ..board.payload import COLUMNS, Column
from ..link import EDITS, SECOND

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
        session.intervene_second = state.Picked(name, state.samples()[name], sample=True)
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
    tool = st.session_state.get("intervene_tool") or TOOLS[0]
    value = st.session_state.get("intervene_temperature", FIRST_TEMPERATURE)
    if column in COLUMNS:
        _take(trace, lambda edits: switched(edits, [part_edit(tool, layer, column)]))
        return
    heads = range(trace.heads) if column == "all" else [column]
    _take(trace, lambda edits: switched(edits, [head_edit(tool, layer, head, value) for head in heads]))
    if column != "all":
        shell.remember_view(replace(st.session_state.view, layer=layer, head=column))


def switch_patch(trace: Trace, how: str, row: int, column: int) -> None:
    """Switch a patch off in this way; or on again, if it is off in this way."""
    token = trace.prefix + row * trace.grid[1] + column
    _take(trace, lambda edits: switched(edits, [PatchOff(token, how)]))


def retune(trace: Trace) -> None:
    """Give the head that is looked at the temperature that has just been set, if it has one already."""
    view, value = st.session_state.view, st.session_state.intervene_temperature
    if any(edit.target == ("temperature", view.layer, view.head) for edit in st.session_state.edits):
        _take(trace, lambda edits: replaced(edits, [Temperature(view.layer, view.head, value)]))


def undo(edit: Edit) -> None:
    """Take one edit back."""
    st.session_state.edits = tuple(other for other in st.session_state.edits if other != edit)


def undo_all() -> None:
    """Take all edits back."""
    st.session_state.edits = ()


def _take(trace: Trace, change: Callable[[tuple[Edit, ...]], tuple[Edit, ...]]) -> None:
    """Have other edits from here on; or say why that cannot be, and keep those of before."""
    try:
        edits = checked(change(st.session_state.edits), trace.config, trace.grid)
        to_text(edits, trace.config)  # a link has to hold them
        st.session_state.edits = edits
    except EditError as error:
        st.session_state.edit_problem = str(error)


# ---------------------------------------------------------------- the image to copy from


def second() -> state.Picked:
    """The second image: what was chosen, or the first sample that is not looked at already."""
    choice, session = state.choice(), st.session_state
    offered = state.samples_for(choice.model)
    if "intervene_second" in session and (
        not session.intervene_second.sample or session.intervene_second.name in offered
    ):
        return session.intervene_second
    name = next((name for name in offered if name != choice.picked.name), next(iter(offered)))
    return state.Picked(name, state.samples()[name], sample=True)


def pick_second(name: str) -> None:
    """Copy from one of the samples."""
    st.session_state.intervene_second = state.Picked(name, state.samples()[name], sample=True)


def take_second() -> None:
    """Copy from an image of the visitor's own. One that cannot be used is said, and changes nothing."""
    file = st.session_state.intervene_upload
    if file is None:
        return
    picked = state.Picked(file.name, file.getvalue(), sample=False)
    try:
        state.photo(replace(state.choice(), picked=picked))
    except ImageError as error:
        st.session_state.edit_problem = f"{file.name}: {error}"
    else:
        st.session_state.intervene_second = picked
