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


def switch() -> None:
    """Draw the switch."""
    PROJECTOR.draw(st.toggle, "Projector mode", help="Large type; one section at a time on the lesson pages.")
