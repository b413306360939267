"""The explorer: point at a patch and see where every head of every layer looks."""

from collections.abc import Callable
from pathlib import Path

import streamlit as st

from ...trace import Trace
from ...view import View
from .payload import Vectors, payload

_FOLDER = Path(__file__).parent
# A component's script is one module; the parts are joined here, in the order in which they build on each other.
_SCRIPT = "\n".join((_FOLDER / name).read_text("utf-8") for name in ("attention.js", "paint.js", "explorer.js"))
_component = st.components.v2.component(
    "vitviz.explorer",
    html=(_FOLDER / "explorer.html").read_text("utf-8"),
    css=(_FOLDER / "explorer.css").read_text("utf-8"),
    js=_SCRIPT,
)


def explorer(
    trace: Trace,
    sent: Vectors,
    view: View,
    *,
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
        picture: the photo as JPEG.
        image_name: what the picture shows, for those who cannot see it.
        on_view: called, before the page runs again, with what the visitor has pinned or chosen; never by hovering.
        key: identity of this explorer in the session.
    """
    data = payload(trace, sent, view, picture=picture, image_name=image_name)
    _component(data=data, key=key, on_view_change=lambda: on_view(View(**st.session_state[key].view)))
