"""Projector mode: large type on all pages, and one section at a time on the lesson pages.

Size of type: capital letters of at least 1/200 of the viewing distance, labels of at least 1/270. On a picture that is
2.4 m wide and 1280 pixels across, a pixel is 1.9 mm. For eight metres, the font size is therefore 32 pixels, and 24 for
labels: the root font size is 1/40 of the window's width on the lesson pages (see vitviz.ui.components.projector). Other
pages show more at a time; their type has the size of labels. In other rooms, the type is large enough up to 3.3 times
the width of the picture.
"""

from __future__ import annotations

import streamlit as st

from .settings import Setting

LABEL = 0.01875  # size of labels relative to the width of the window: 24 of 1280 pixels
LEAST = 18  # pixels of labels in small windows
WINDOW = (320, 15360)  # possible widths of windows, pixels
_WINDOW = "projector_window"  # key in the session


def _read(text: str, _: object) -> bool:
    if text != "1":
        raise ValueError("1")
    return True


PROJECTOR = Setting(
    "projector",
    False,
    "projector",
    read=_read,
    write=lambda on, _: "1" if on else "",
    valid=lambda on, _: isinstance(on, bool),
)


def window() -> int:
    """Width of the window in pixels, as told by the browser; before, that of a common projector."""
    return st.session_state.get(_WINDOW, 1280)


def set_window(width: int) -> None:
    """Store the width of the window."""
    st.session_state[_WINDOW] = width


def label_size() -> float:
    """Size of labels in pixels, for charts, whose type styles cannot change."""
    return max(LEAST, LABEL * window())


def switch() -> None:
    """Draw the switch."""
    PROJECTOR.draw(st.toggle, "Projector mode", help="Large type; one section at a time on the lesson pages.")
