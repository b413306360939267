"""The drawing pad: what a visitor draws becomes the image."""

import binascii
import logging

import streamlit as st
from streamlit_drawable_canvas import st_canvas

from . import state

SIDE = 240  # pixels; what the sidebar has room for
PEN = 18

_log = logging.getLogger(__name__)


def drawing_pad() -> None:
    """A white square to draw on with mouse, finger or pen; each finished stroke is looked at."""
    canvas = st_canvas(
        stroke_width=PEN,
        stroke_color="#000000",
        background_color="#ffffff",
        width=SIDE,
        height=SIDE,
        return_image_data=True,
        key="pad",
    )
    try:
        drawn = bool(canvas.json_data and canvas.json_data.get("objects"))
        picture = canvas.image_bytes if drawn else None
    except (ValueError, AttributeError, binascii.Error) as error:  # the pad's script sends pictures; this is not one
        _log.warning("Left out what a browser sent as a drawing: %s.", error)
        return
    if picture is None:
        st.session_state.drawn = None
    elif picture != st.session_state.get("drawn"):
        st.session_state.drawn = picture
        state.pick_drawing(picture)
