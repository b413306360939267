"""Explain: which patches made the model say what it says, by six methods that can be compared."""

from functools import partial

import streamlit as st

from vitviz.ui.app import shell, state
from vitviz.ui.app.jobs import asking
from vitviz.ui.app.remembered import remembered
from vitviz.ui.app.words import plain_errors
from vitviz.ui.pages.explain import address, picture, wanted
from vitviz.ui.pages.explain.board import board, mark_box
from vitviz.ui.pages.explain.choosing import choose_targets
from vitviz.ui.pages.explain.closer import enlarge
from vitviz.ui.pages.explain.comparing import compare
from vitviz.ui.pages.explain.maps import PLACE
from vitviz.ui.widgets import drawing
from vitviz.viz.colour import OPACITY


@plain_errors()
def explained(choice: state.Choice) -> None:
    """All maps, and which of them to believe."""
    with st.empty():  # spinners come and go here, and move nothing below
        trace = state.trace(choice)
    address.begin(choice, trace)
    shell.write_address(address.parameters(choice))
    choose_targets(choice, trace)
    slider = partial(st.slider, "Photo beneath", 0, 100, step=5, format="%d %%", width=240)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="large"):
        beneath = remembered(slider, "explain_photo", round(100 * (1 - OPACITY)))
        mark_box()
    st.html(picture.style(state.picture(choice, picture.PHOTO), 1 - beneath / 100))
    aims = wanted.aims(choice)
    with st.container():
        pending = board(choice, trace, aims)
    with st.container():  # empty or not, what follows stays where it is
        enlarge(choice, trace, aims)
    pending += compare(choice, trace, aims)
    asking.watch(PLACE, pending)


shell.enter("pages/explain.py")
st.html(drawing.STYLE)
st.title("Explain", anchor=False)
st.markdown(
    "Which patches made the model say what it says? Each method answers in its own way, and they often disagree. "
    "Choose what is to be explained, compare the maps, and find out below which of them to believe."
)
explained(state.choice())
