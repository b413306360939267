"""Which edits a visitor has made, from the link or by hand, and the image that they copy from."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

import streamlit as st

from ....analysis.ablation.edit_tools import TOOLS, head_edit, patch_edit, replace_edits, sublayer_edit, toggle_edits
from ....errors import EditError, ImageError
from ....model.edits import ActivationCopy, Edit, HeadAblation, KeyMask, PatchAblation, Temperature, checked
from ....notation.edits import from_text, to_text
from ....trace.trace import Trace
from ...app import shell, state
from ...app.link import EDITS, OWN, SECOND
from ...components.board.payload import COLUMNS, Column
from . import first

TEMPERATURES = (0.1, 0.2, 0.5, 0.8, 1.25, 2.0, 5.0, 10.0)
FIRST_TEMPERATURE = 0.5
NOTHING = "none"  # in a link: nothing is changed


def current(choice: state.Choice, trace: Trace) -> tuple[Edit, ...]:
    """The visitor's edits of this model and grid; those of others are kept until the visitor returns to them.

    Until the visitor has changed anything in a model it is the page's own edit, see `first.first_edit`.
    """
    session, made_for = st.session_state, (choice.model, trace.grid)
    if "edits" not in session:
        _begin(trace)
        session.patches_of = choice.picked.digest
    elif session.edits_for != made_for:
        before = () if session.edits_are_first else session.edits
        _put_away()
        session.edits = _kept(made_for, trace)
        session.edits_are_first = choice.model not in session.edits_kept
        if any(edit not in session.edits for edit in before):
            session.edits_away = True
    session.edits_for = made_for
    if session.edits_are_first:
        session.edits = (first.first_edit(choice, trace),)
    return session.edits


def _put_away() -> None:
    """Keep the edits by what they belong to: patches to a grid of a model, everything else to a model."""
    session = st.session_state
    kept, model = session.setdefault("edits_kept", {}), session.edits_for[0]
    if session.edits_are_first:
        return
    kept[model] = tuple(edit for edit in session.edits if not isinstance(edit, KeyMask | PatchAblation))
    kept[session.edits_for] = tuple(edit for edit in session.edits if isinstance(edit, KeyMask | PatchAblation))


def _kept(made_for: tuple, trace: Trace) -> tuple[Edit, ...]:
    kept = st.session_state.edits_kept
    try:
        return checked((*kept.get(made_for[0], ()), *kept.get(made_for, ())), trace.config, trace.grid)
    except EditError:  # a checkpoint of the same name has another shape now
        return ()


def stays_off(choice: state.Choice) -> bool:
    """Whether patches are off that were switched off in another image."""
    session = st.session_state
    patches = any(isinstance(edit, KeyMask | PatchAblation) for edit in session.edits)
    return patches and session.patches_of != choice.picked.digest


def _begin(trace: Trace) -> None:
    """Edits of the link, if it names any."""
    session = st.session_state
    session.edits, session.edits_are_first = (), EDITS not in session.link
    asked = session.link.get(EDITS, NOTHING)
    try:
        session.edits = () if asked == NOTHING else from_text(asked, trace.config, trace.grid)
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
    if st.session_state.edits_are_first:
        return {}
    found = {EDITS: to_text(edits, trace.config) or NOTHING}
    if copies(edits):
        picked = second()
        found[SECOND] = picked.name if picked.sample else OWN
    return found


def copies(edits: Iterable[Edit]) -> list[ActivationCopy]:
    """Those that need the second image."""
    return [edit for edit in edits if isinstance(edit, ActivationCopy)]


# ---------------------------------------------------------------- what the visitor does


def switch(trace: Trace, layer: int, column: Column) -> None:
    """Do to a part of the model what the chosen tool does; or undo it, if that has been done."""
    tool = st.session_state.get("intervene_tool") or TOOLS[0]
    value = st.session_state.get("intervene_temperature", FIRST_TEMPERATURE)
    if column in COLUMNS:
        _take(trace, lambda edits: toggle_edits(edits, [sublayer_edit(tool, layer, column)]))
        return
    if column != "all":
        wanted = [head_edit(tool, layer, column, value)]
    elif tool == "temperature":
        wanted = [head_edit(tool, layer, head, value) for head in range(trace.heads)]
    else:
        wanted = [sublayer_edit(tool, layer, part) for part in COLUMNS]
    _take(trace, lambda edits: toggle_edits(edits, wanted))
    if column != "all":
        shell.remember_view(replace(st.session_state.view, layer=layer, head=column))


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
    view, value = st.session_state.view, st.session_state.intervene_temperature
    if any(edit.target == ("temperature", view.layer, view.head) for edit in st.session_state.edits):
        _take(trace, lambda edits: replace_edits(edits, [Temperature(view.layer, view.head, value)]))


def undo(edits: Iterable[Edit]) -> None:
    """Take edits back."""
    st.session_state.edits_are_first = False
    st.session_state.edits = tuple(edit for edit in st.session_state.edits if edit not in edits)


def _take(trace: Trace, change: Callable[[tuple[Edit, ...]], tuple[Edit, ...]]) -> None:
    """Have other edits from here on; or say why that cannot be, and keep those of before."""
    try:
        edits = checked(change(st.session_state.edits), trace.config, trace.grid)
        to_text(edits, trace.config)  # a link has to hold them
        st.session_state.edits, st.session_state.edits_are_first = edits, False
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
    """Copy from one of the samples, or from the visitor's own image."""
    own = name == OWN
    st.session_state.intervene_second = (
        st.session_state.own if own else state.Picked(name, state.samples()[name], sample=True)
    )


def take_second(name: str, data: bytes) -> None:
    """Copy from an image of the visitor's own. One that cannot be used is said, and changes nothing."""
    picked = state.Picked(name, data, sample=False)
    try:
        state.check_own(picked)
    except ImageError as error:
        st.session_state.edit_problem = str(error)
    else:
        st.session_state.intervene_second = picked
