"""The page "Explain": which patches made the model say what it says, by methods that can be compared."""

from __future__ import annotations

import streamlit as st

from ...app import shell, state
from ...app.jobs import background
from ...app.messages import show_errors
from ...widgets import drawing
from . import picture, settings
from .board import board, mark_box
from .choosing import choose_targets
from .closer import enlarge
from .comparing import compare
from .maps import PLACE


def draw() -> None:
    """Draw the page."""
    st.html(drawing.STYLE)
    st.title("Explain", anchor=False)
    st.markdown(
        "Which patches made the model say what it says? Each method answers in its own way, and they often disagree. "
        "Choose what is to be explained, compare the maps, and find out below which of them to believe."
    )
    explained(state.choice())


@show_errors()
def explained(choice: state.Choice) -> None:
    """All maps, and which of them to believe."""
    with st.empty():  # spinners come and go here, and move nothing below
        trace = state.trace(choice)
    shell.write_address()
    choose_targets(choice, trace)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="large"):
        beneath = settings.BENEATH.draw(st.slider, "Photo beneath", 0, 100, step=5, format="%d %%", width=240)
        mark_box()
    st.html(picture.style(state.picture(choice, picture.PHOTO), 1 - beneath / 100))
    aims = settings.aims(choice)
    with st.container():
        pending = board(choice, trace, aims)
    with st.container():  # empty or not, what follows stays where it is
        enlarge(choice, trace, aims)
    pending += compare(choice, trace, aims)
    background.watch(PLACE, pending)
