"""The page "Tokens": what is alike in the space of the tokens, what stands out, and what can be read from it."""

from __future__ import annotations

import streamlit as st

from ...app import shell, state
from ...components.patches.sticky import sticky_style
from ...widgets import drawing, symbols
from . import alike, colours, lengths, look, places, plane
from .settings import SECTION, SECTIONS

DRAW = dict(zip(SECTIONS, (colours.components, alike.alike, lengths.lengths, plane.plane, places.places), strict=True))


def draw() -> None:
    """Draw the page."""
    st.html(symbols.style())
    st.html(drawing.STYLE + sticky_style("pca_picker", "pca_strip"))
    st.title("Tokens", anchor=False)
    explore(state.choice())


@shell.fragment
def explore(choice: state.Choice) -> None:
    """One section at a time; choosing a layer, a patch or a section runs only this again."""
    with st.empty():  # spinners come and go here, and move nothing below
        seen = look.current(choice)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        look.layer_box(seen)
        section = SECTION.draw(st.pills, "What to look at", SECTIONS, context=choice, required=True)
    DRAW[section](seen)
