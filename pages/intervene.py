"""Intervene: switch parts of the model off, and see what changes."""

from dataclasses import replace
from functools import partial

import streamlit as st

from vitviz.model.edits import ActivationCopy, Edit
from vitviz.trace.trace import Trace
from vitviz.ui.app import link, shell, state
from vitviz.ui.app.words import plain_errors
from vitviz.ui.pages.intervene import bench, cached, changes, chosen, controls, maps, output, picture, sweeps
from vitviz.ui.pages.intervene.moved import most_moved
from vitviz.ui.pages.intervene.pair import STYLE, Pair
from vitviz.ui.widgets import drawing


@st.fragment
@plain_errors()
def intervene(choice: state.Choice) -> None:
    """The board, what has been done, and what follows from it; a click runs only this again."""
    spinners = st.empty()  # they come and go here, and move nothing below
    with spinners:
        trace = state.trace(choice)
        edits = chosen.current(choice, trace)
        view = shell.current_view(trace, partial(most_moved, choice, edits, trace))
    shell.write_address(link.view_parameters(view, trace) | chosen.parameters(trace))
    second = replace(choice, picked=chosen.second())
    places = bench.bench(trace.heads)
    with places["picture"]:
        picture.the_picture(choice, trace, edits, view)
    with places["board"]:
        controls.the_board(trace, edits, view)
        applied = what_can_be_done(trace, edits, second)
    with places["changes"]:
        changes.changes(choice, trace, edits)
    with spinners:
        pair = before_and_after(choice, applied, second)
    with places["answer"]:
        output.output(pair)
    left, right = st.columns([0.6, 0.4], gap="large")
    with left:
        maps.attention(pair, state.picture(choice, maps.SIDE))
    with right:
        maps.tokens(pair)
    sweeps.sweeps(choice, trace)


def what_can_be_done(trace: Trace, edits: tuple[Edit, ...], second: state.Choice) -> tuple[Edit, ...]:
    """The edits, without copies from an image that has other patches."""
    if st.session_state.get("intervene_tool") != "copy" and not chosen.copies(edits):
        return edits
    controls.second_image(trace, second)
    if controls.same_grid(trace, second):
        return edits
    return tuple(edit for edit in edits if not isinstance(edit, ActivationCopy))


def before_and_after(choice: state.Choice, edits: tuple[Edit, ...], second: state.Choice) -> Pair:
    """The two passes."""
    view = replace(st.session_state.view, direction="from")
    layer = min(view.layer, state.trace(choice).layers - 1)
    after = cached.after(choice, edits, second, layer)
    return Pair(cached.before(choice, layer), after, edits, view)


shell.enter("pages/intervene.py")
st.html(drawing.STYLE + STYLE + bench.STYLE + output.STYLE)
with st.container(horizontal=True, vertical_alignment="bottom"):
    st.title("Intervene", anchor=False, width="content")
    st.markdown("Switch heads, layers or patches off, and see what changes. They are numbered from 1.", width="content")
intervene(state.choice())
