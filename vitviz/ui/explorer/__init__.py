"""The explorer: point at a patch and see where every head of every layer looks."""

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import streamlit as st

from ...trace import Trace
from ...view import View
from .payload import Vectors, payload

_log = logging.getLogger(__name__)
_FOLDER = Path(__file__).parent
# A component's script is one module; the parts are joined here, in the order in which they build on each other.
_PARTS = ("binary.js", "attention.js", "paint.js", "words.js", "explorer.js")
BINARY, *_OTHERS = ((_FOLDER / part).read_text("utf-8") for part in _PARTS)
SCRIPT = "\n".join((BINARY, *_OTHERS))
HTML, CSS = ((_FOLDER / f"explorer.{kind}").read_text("utf-8") for kind in ("html", "css"))
_component = st.components.v2.component(
    "vitviz.explorer",
    html=HTML,
    css=CSS,
    js=SCRIPT,
)


def explorer(
    trace: Trace,
    sent: Vectors,
    view: View,
    *,
    sums: np.ndarray | None,
    picture: bytes,
    image_name: str,
    on_view: Callable[[View], None],
    key: str,
) -> None:
    """Draw the explorer.

    Args:
        trace: what is looked at.
        sent: the queries and keys of the layers that follow the pointer.
        view: what is shown when the explorer appears; later ones matter only for the layers that are not sent.
        sums: the trace's log-sums, if layers that are not sent may show columns.
        picture: the photo as JPEG.
        image_name: what the picture shows, for those who cannot see it.
        on_view: called, before the page runs again, with what the visitor has pinned or chosen; never by hovering.
        key: identity of this explorer in the session.
    """

    def tell() -> None:
        try:
            on_view(View.read(st.session_state[key].view))
        except ValueError as error:  # the explorer's script sends only views; this message is somebody else's
            _log.warning("Left out what a browser sent as a view: %s.", error)

    data = payload(trace, sent, view, sums=sums, picture=picture, image_name=image_name)
    _component(data=data, key=key, on_view_change=tell)
