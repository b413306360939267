"""The page "Intervene": ablate or patch parts of the model, and compare before and after."""

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
from .settings import EDITS, OPENED, SECOND, TOOL, activation_copies


def draw() -> None:
    """Draw the page."""
    st.html(drawing.STYLE + STYLE + layout.STYLE + output.STYLE)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.title("Intervene", anchor=False, width="content")
        st.markdown("Ablate heads, sublayers or patches and see what changes. Numbers start at 1.", width="content")
    intervene(state.choice())


@shell.fragment
def intervene(choice: state.Choice) -> None:
    """Draw board, edits and their effects; a click reruns only this fragment."""
    spinners = st.empty()  # placeholder for spinners, so that nothing below moves
    with spinners:
        trace = state.trace(choice)
        edits, view = EDITS.get(choice), OPENED.get(choice)
    second = replace(choice, picked=SECOND.image(choice))
    places = layout.places(trace.heads)
    with places["picture"]:
        patch_edits.image_panel(choice, trace, edits, view)
    with places["board"]:
        controls.board_panel(trace, edits, view)
        applied = applicable(trace, edits, second)
    with places["changes"]:
        edit_list.edit_list(choice, trace, edits)
    with spinners:
        pair = run_both(choice, applied, second, view)
    with places["answer"]:
        output.output(choice, pair)
    left, right = st.columns([0.6, 0.4], gap="large")
    with left:
        before_after.attention(pair, state.picture(choice, before_after.SIDE))
    with right:
        before_after.tokens(pair)
    sweeps.sweeps(choice, trace)


def applicable(trace: Trace, edits: tuple[Edit, ...], second: state.Choice) -> tuple[Edit, ...]:
    """Return the edits, without activation patching from an image with another grid."""
    if TOOL.get() != "copy" and not activation_copies(edits):
        return edits
    controls.second_image(second)
    if controls.same_grid(trace, second):
        return edits
    return tuple(edit for edit in edits if not isinstance(edit, ActivationCopy))


def run_both(choice: state.Choice, edits: tuple[Edit, ...], second: state.Choice, view: View) -> BeforeAfter:
    """Run the passes without and with edits."""
    view = replace(view, direction="from")
    layer = min(view.layer, state.trace(choice).layers - 1)
    after = edited_passes.after(choice, edits, second, layer)
    return BeforeAfter(edited_passes.before(choice, layer), after, edits, view)
