"""The drawing pad: what a visitor draws becomes the image."""

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
SIDES = {KEY: 240, PAGE_KEY: 288}  # pixels: what the sidebar has room for, and what the narrowest phone's page has
PEN = 0.075  # of the side

_log = logging.getLogger(__name__)


def page_place() -> None:
    """Make a place for a pad on the page: on a narrow screen the sidebar is closed, or hides what a drawing changes."""
    st.session_state.page_pad_place = st.container(key="page_pad_place")


def draw_a_digit(place: DeltaGenerator) -> None:
    """Draw the pad in its place of the sidebar and in that of the page.

    Which of the two is seen follows from the page and the width of the screen, see `reach`. Both are always there, so
    that what is drawn stays.
    """
    with place.container(key="sidebar_pad_place"):
        drawing_pad(KEY)
    with st.session_state.page_pad_place:
        drawing_pad(PAGE_KEY)


def drawing_pad(key: str) -> None:
    """A white square to draw on with mouse, finger or pen; each finished stroke is looked at."""
    from streamlit_drawable_canvas import st_canvas  # can be imported only where a server runs

    canvas = f"{key}_{st.session_state.setdefault('pad_turn', 0)}"
    st_canvas(
        stroke_width=round(PEN * SIDES[key]),
        stroke_color="#000000",
        background_color="#ffffff",
        width=SIDES[key],
        height=SIDES[key],
        return_image_data=True,
        key=canvas,
        on_change=partial(_look_at_it, canvas),
    )
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.caption(_verdict() or _invitation(), width="stretch")
        st.button("Clear", key=f"{key}_clear", type="tertiary", disabled=not state.is_drawn(), on_click=_clear)


def _clear() -> None:
    """Wipe everything off. The canvas has buttons for that and for one step back, but no finger can find them."""
    st.session_state.pad_turn += 1  # another widget, and so an empty one
    state.pick_drawing(None)


def _invitation() -> str:
    return "Draw to replace the sample." if state.choice().picked.sample else "Draw here."


def _verdict() -> str:
    """The likeliest class, for those whose sidebar hides the page."""
    choice = state.choice()
    if not state.is_drawn() or not state.trace(choice).model.is_classifier:
        return ""
    best = predictions(state.trace(choice), count=1)[0]
    return f"**{escape_markdown(best.label)}**, {percent(best.probability)}"


def _look_at_it(key: str) -> None:
    """Take what is drawn for the image."""
    try:
        drawing = st.session_state[key]["drawing"]
        picture = base64.b64decode(drawing["data"].partition("base64,")[2], validate=True)
        state.pick_drawing(picture if drawing["raw"]["objects"] else None)
    except (KeyError, TypeError, AttributeError, ValueError) as error:  # the pad's script sends pictures; this is none
        _log.warning("Left out what a browser sent as a drawing: %s.", error)
