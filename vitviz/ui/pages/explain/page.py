"""The page "Explain": which patches made the model say what it says, by methods that can be compared."""

from __future__ import annotations

import streamlit as st

from ...app import shell, state
from ...app.jobs import asking
from ...app.words import plain_errors
from ...widgets import drawing
from . import map_figure, settings
from .comparison import compare
from .enlarged import enlarge
from .map_grid import board, mark_box
from .maps import PLACE
from .target_selection import choose_targets


def draw() -> None:
    """Draw the page."""
    st.html(drawing.STYLE)
    st.title("Explain", anchor=False)
    st.markdown(
        "Which patches made the model say what it says? Each method answers in its own way, and they often disagree. "
        "Choose what is to be explained, compare the maps, and find out below which of them to believe."
    )
    explained(state.choice())


@plain_errors()
def explained(choice: state.Choice) -> None:
    """All maps, and which of them to believe."""
    with st.empty():  # spinners come and go here, and move nothing below
        trace = state.trace(choice)
    shell.write_address()
    choose_targets(choice, trace)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="large"):
        beneath = settings.BENEATH.draw(st.slider, "Photo beneath", 0, 100, step=5, format="%d %%", width=240)
        mark_box()
    st.html(map_figure.style(state.picture(choice, map_figure.PHOTO), 1 - beneath / 100))
    targets = settings.targets(choice)
    with st.container():
        pending = board(choice, trace, targets)
    with st.container():  # empty or not, what follows stays where it is
        enlarge(choice, trace, targets)
    pending += compare(choice, trace, targets)
    asking.watch(PLACE, pending)
