"""Drawing pad. The drawing becomes the image."""

import base64
import logging
from functools import partial

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from ...analysis.predictions import predictions
from ...notation.marks import percent
from . import state
from .messages import escape_markdown

KEY, PAGE_KEY = "pad", "page_pad"
SIDES = {KEY: 240, PAGE_KEY: 288}  # pixels: width available in the sidebar, and on the narrowest phone
PEN = 0.075  # stroke width relative to the side

_log = logging.getLogger(__name__)


def page_place() -> None:
    """Create the container for a pad on the page. On narrow screens, the sidebar is closed or covers the page."""
    st.session_state.page_pad_place = st.container(key="page_pad_place")


def draw_a_digit(place: DeltaGenerator) -> None:
    """Show the pad in the sidebar and on the page.

    CSS shows one of them, depending on the page and the width of the screen (see `streamlit_fixes`). Both are always
    mounted, so that the drawing is kept.
    """
    with place.container(key="sidebar_pad_place"):
        drawing_pad(KEY)
    with st.session_state.page_pad_place:
        drawing_pad(PAGE_KEY)


def drawing_pad(key: str) -> None:
    """Show a white square for drawing with mouse, finger or pen. The image is updated after each stroke."""
    from streamlit_drawable_canvas import st_canvas  # can only be imported while a server runs

    canvas = f"{key}_{st.session_state.setdefault('pad_turn', 0)}"
    st_canvas(
        stroke_width=round(PEN * SIDES[key]),
        stroke_color="#000000",
        background_color="#ffffff",
        width=SIDES[key],
        height=SIDES[key],
        return_image_data=True,
        key=canvas,
        on_change=partial(_take_drawing, canvas),
    )
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.caption(_verdict() or _invitation(), width="stretch")
        st.button("Clear", key=f"{key}_clear", type="tertiary", disabled=not state.is_drawn(), on_click=_clear)


def _clear() -> None:
    """Clear the drawing. The canvas has its own buttons for that and for undo, but they are too small for touch."""
    st.session_state.pad_turn += 1  # a new widget, which is empty
    state.pick_drawing(None)


def _invitation() -> str:
    return "Draw to replace the sample." if state.choice().picked.sample else "Draw here."


def _verdict() -> str:
    """Return the top-1 class, for screens on which the sidebar covers the page."""
    choice = state.choice()
    if not state.is_drawn() or not state.trace(choice).model.is_classifier:
        return ""
    best = predictions(state.trace(choice), count=1)[0]
    return f"**{escape_markdown(best.label)}**, {percent(best.probability)}"


def _take_drawing(key: str) -> None:
    """Use the drawing as the image."""
    try:
        drawing = st.session_state[key]["drawing"]
        picture = base64.b64decode(drawing["data"].partition("base64,")[2], validate=True)
        state.pick_drawing(picture if drawing["raw"]["objects"] else None)
    except (KeyError, TypeError, AttributeError, ValueError) as error:  # not sent by the pad
        _log.warning("Ignored an invalid drawing from a browser: %s.", error)
