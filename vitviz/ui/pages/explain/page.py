"""The page "Explain": attribution maps of several methods, and their faithfulness."""

from __future__ import annotations

import streamlit as st

from ...app import shell, state
from ...app.jobs import background
from ...app.messages import show_errors
from ...widgets import drawing
from . import map_figure, settings
from .comparison import compare
from .enlarged import enlarge
from .map_grid import map_grid, mark_box
from .maps import PLACE
from .target_selection import choose_targets


def draw() -> None:
    """Draw the page."""
    st.html(drawing.STYLE)
    st.title("Explain", anchor=False)
    st.markdown(
        "Which patches explain the model's output? Attribution methods often disagree. Choose a target, compare the "
        "maps, and measure their faithfulness below."
    )
    explained(state.choice())


@show_errors()
def explained(choice: state.Choice) -> None:
    """Draw all maps and their comparison."""
    with st.empty():  # placeholder for spinners, so that nothing below moves
        trace = state.trace(choice)
    shell.write_address()
    with st.container():  # always present, so that what follows keeps its place
        pending = choose_targets(choice, trace)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="large"):
        opacity = settings.OVERLAY_OPACITY.draw(st.slider, "Overlay opacity", 0, 100, step=5, format="%d %%", width=240)
        mark_box()
    st.html(map_figure.style(state.picture(choice, map_figure.PHOTO), opacity / 100))
    specs = settings.target_specs(choice)
    with st.container():
        pending += map_grid(choice, trace, specs)
    with st.container():
        enlarge(choice, trace, specs)
    pending += compare(choice, trace, specs)
    background.watch(PLACE, pending)
