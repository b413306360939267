"""A user's own image: dropped or pasted anywhere on a page, and kept by their browser so that it survives a reload.

The file travels as every upload does, by one of Streamlit's own uploaders, two of which are drawn out of sight: one for
what is dropped and pasted, one for what the browser has kept. The component only fills them. What is kept is kept in
the browser alone, for its tab; the server has the image in the session and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import streamlit as st

from ...app import notices, state
from ...app.uploads import drop_zone
from .._shared import Component, Listener, packed

NOT_IN_LINK = "This link was made with somebody's own photo, which is not part of it; this is a sample."
ENDED = (
    "Your session has ended, because the server was restarted or the connection was lost for too long; drop your photo "
    "again."
)
LONGEST_NAME = 200  # characters of a file's name in a message

component = Component("own_image", Path(__file__).parent)

_OUT_OF_SIGHT = "<style>.st-key-own_dropped, .st-key-own_kept { display: none; }</style>"


def begin(wanted: bool) -> None:
    """Begin with a new session.

    Args:
        wanted: whether the link is to the user's own image, which only their browser may have.
    """
    st.session_state.own_asked = "wanted" if wanted else "kept"


def is_waiting() -> bool:
    """Return whether the page has to wait for what the browser says it has kept."""
    return st.session_state.own_asked == "wanted"


def own_image(again: Callable[[], None]) -> None:
    """Draw what takes an image from anywhere on the page, and gives back the one that the browser has kept.

    Args:
        again: called before the page runs again without the user having done anything.
    """
    st.session_state.own_new = st.session_state.pop("own_just_taken", False)
    st.html(_OUT_OF_SIGHT)
    drop_zone("Dropped or pasted image", _take, key="own_dropped")
    drop_zone("Image kept by the browser", lambda name, data: _take_kept(name, data, again), key="own_kept")
    own = st.session_state.own
    # The browser has the file of what was uploaded; what was made on the page, it has to be given.
    made_here = own is not None and own.name in state.MADE_HERE
    data = {
        "own": None if own is None else {"digest": own.digest, "name": own.name, "bytes": len(own.data)},
        "asked": st.session_state.own_asked,
        "largest": 1_000_000 * st.get_option("server.maxUploadSize"),
    }
    listeners = {
        "nothing": Listener("that nothing is kept", bool, _nothing_kept),
        "refused": Listener("a file that is too large", _name, _too_large),
        "lost": Listener("a file that did not arrive", _name, _lost),
    }
    parts = {"image": packed({}, {"image": own.data if made_here else b""})}
    component.draw(data, listeners, key="own_image", parts=parts)


def just_taken() -> bool:
    """Return whether this run is the one after an image was dropped or pasted."""
    return st.session_state.own_new


def _take(name: str, data: bytes) -> None:
    st.session_state.own_asked = None
    st.session_state.own_just_taken = state.pick_upload(name, data)


def _take_kept(name: str, data: bytes, again: Callable[[], None]) -> None:
    asked, st.session_state.own_asked = st.session_state.own_asked, None
    if asked == "wanted":
        state.pick_upload(name, data)
    elif asked == "kept":
        again()
        state.keep_upload(name, data)


def _nothing_kept(ended: bool) -> None:
    if is_waiting():
        notices.add([ENDED if ended else NOT_IN_LINK])
    st.session_state.own_asked = None


def _name(message: object) -> str:
    if not isinstance(message, str) or len(message) > LONGEST_NAME:
        raise ValueError("no name of a file")
    return message


def _too_large(name: str) -> None:
    most = st.get_option("server.maxUploadSize")
    notices.set_image_problem(f"{name}: This file is larger than {most} MB; make it smaller and try again.")


def _lost(name: str) -> None:
    st.session_state.own_dropped_turn += 1  # an uploader that has not failed
    notices.set_image_problem(f"{name}: This file did not arrive; try again.")
