"""Tokens: what is alike in the space of the tokens, what stands out there, and what can be read from it."""

from functools import partial

import streamlit as st

from vitviz.notation.marks import one_of
from vitviz.ui.app import link, shell, state
from vitviz.ui.app.remembered import remembered
from vitviz.ui.app.words import plain_errors
from vitviz.ui.components.patches.staying import in_sight
from vitviz.ui.pages.tokens import alike, colours, lengths, look, places, plane
from vitviz.ui.widgets import drawing, symbols

SECTIONS = {
    "Colours": colours.components,
    "Similarity": alike.alike,
    "Norms": lengths.lengths,
    "Points": plane.plane,
    "Places": places.places,
}


@st.fragment
@plain_errors()
def explore(choice: state.Choice) -> None:
    """One section at a time; choosing a layer, a patch or a section runs only this again."""
    with st.empty():  # spinners come and go here, and move nothing below
        seen = look.current(choice)
    section = shell.take_from_link({link.SECTION: one_of(SECTIONS)}).get(link.SECTION, "Colours")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        look.layer_box(seen)
        draw = partial(st.pills, "What to look at", list(SECTIONS), required=True)
        chosen = remembered(draw, "tokens_section", section)
    shell.write_address({**look.link_to(seen), link.SECTION: chosen})
    SECTIONS[chosen](seen)


shell.enter("pages/tokens.py")
st.html(symbols.style())
st.html(drawing.STYLE + in_sight("pca_picker", "pca_strip"))
st.title("Tokens", anchor=False)
explore(state.choice())
