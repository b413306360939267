"""The drawing pad: what a visitor draws becomes the image."""

import base64
import logging

import streamlit as st
from streamlit_drawable_canvas import st_canvas

from . import state

SIDE = 240  # pixels; what the sidebar has room for
PEN = 18
KEY = "pad"

_log = logging.getLogger(__name__)


def drawing_pad() -> None:
    """A white square to draw on with mouse, finger or pen; each finished stroke is looked at."""
    st.caption("Undo and clear appear here.")
    st_canvas(
        stroke_width=PEN,
        stroke_color="#000000",
        background_color="#ffffff",
        width=SIDE,
        height=SIDE,
        return_image_data=True,
        key=KEY,
        on_change=_look_at_it,
    )


def _look_at_it() -> None:
    """Take what is drawn for the image; an empty pad changes nothing."""
    try:
        drawing = st.session_state[KEY]["drawing"]
        if drawing["raw"]["objects"]:
            state.pick_drawing(base64.b64decode(drawing["data"].partition("base64,")[2], validate=True))
    except (KeyError, TypeError, AttributeError, ValueError) as error:  # the pad's script sends pictures; this is none
        _log.warning("Left out what a browser sent as a drawing: %s.", error)
