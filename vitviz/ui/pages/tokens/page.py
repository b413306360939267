"""The page "Tokens": similarity, principal components, norms and positions of the tokens after a layer."""

from __future__ import annotations

import streamlit as st

from ...app import shell, state
from ...components.patches.sticky import sticky_style
from ...widgets import drawing, symbols
from ..training import curves, time_slider
from . import norms, position_probe, principal_components, scatter_plot, similarity, tokens_view
from .settings import SECTION, SECTIONS

DRAW = dict(
    zip(
        SECTIONS,
        (
            principal_components.draw,
            similarity.draw,
            norms.draw,
            scatter_plot.draw,
            position_probe.draw,
        ),
        strict=True,
    )
)


def draw() -> None:
    """Draw the page."""
    st.html(symbols.style())
    st.html(drawing.STYLE + sticky_style("pca_picker", "pca_strip"))
    st.title("Tokens", anchor=False)
    time_slider.draw(state.choice())
    explore(state.choice())


@shell.fragment
def explore(choice: state.Choice) -> None:
    """Draw one section; choosing a layer, a patch or a section reruns only this fragment."""
    place = curves.place()
    with st.empty():  # placeholder for spinners, so that nothing below moves
        view = tokens_view.current(choice)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        tokens_view.layer_box(view)
        section = SECTION.draw(st.pills, "Section", SECTIONS, context=choice, required=True)
    DRAW[section](view)
    curves.draw(choice, place)
