"""The page "Intervene": switch parts of the model off, and see what changes."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from ....model.edits import ActivationCopy, Edit
from ....notation.view import View
from ....trace.trace import Trace
from ...app import shell, state
from ...widgets import drawing
from . import before_after, controls, edit_list, edited_passes, layout, output, patch_edits, sweeps
from .before_after import STYLE, BeforeAfter
from .settings import EDITS, OPENED, SECOND, TOOL, copies


def draw() -> None:
    """Draw the page."""
    st.html(drawing.STYLE + STYLE + layout.STYLE + output.STYLE)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.title("Intervene", anchor=False, width="content")
        st.markdown(
            "Switch heads, layers or patches off, and see what changes. They are numbered from 1.", width="content"
        )
    intervene(state.choice())


@shell.fragment
def intervene(choice: state.Choice) -> None:
    """The board, what has been done, and what follows from it; a click runs only this again."""
    spinners = st.empty()  # they come and go here, and move nothing below
    with spinners:
        trace = state.trace(choice)
        edits, view = EDITS.get(choice), OPENED.get(choice)
    second = replace(choice, picked=SECOND.get(choice))
    places = layout.bench(trace.heads)
    with places["picture"]:
        patch_edits.the_picture(choice, trace, edits, view)
    with places["board"]:
        controls.the_board(trace, edits, view)
        applied = what_can_be_done(trace, edits, second)
    with places["changes"]:
        edit_list.changes(choice, trace, edits)
    with spinners:
        pair = run_both(choice, applied, second, view)
    with places["answer"]:
        output.output(pair)
    left, right = st.columns([0.6, 0.4], gap="large")
    with left:
        before_after.attention(pair, state.picture(choice, before_after.SIDE))
    with right:
        before_after.tokens(pair)
    sweeps.sweeps(choice, trace)


def what_can_be_done(trace: Trace, edits: tuple[Edit, ...], second: state.Choice) -> tuple[Edit, ...]:
    """The edits, without copies from an image that has other patches."""
    if TOOL.get() != "copy" and not copies(edits):
        return edits
    controls.second_image(trace, second)
    if controls.same_grid(trace, second):
        return edits
    return tuple(edit for edit in edits if not isinstance(edit, ActivationCopy))


def run_both(choice: state.Choice, edits: tuple[Edit, ...], second: state.Choice, view: View) -> BeforeAfter:
    """The two passes."""
    view = replace(view, direction="from")
    layer = min(view.layer, state.trace(choice).layers - 1)
    after = edited_passes.after(choice, edits, second, layer)
    return BeforeAfter(edited_passes.before(choice, layer), after, edits, view)
