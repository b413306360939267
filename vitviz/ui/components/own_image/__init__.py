"""The user's own image: dropped or pasted anywhere on a page, and stored by the browser, so that it survives a reload.

The component passes files to two hidden Streamlit uploaders: one for dropped and pasted images, one for the image
stored by the browser. The browser stores the image for its tab only. The server holds it in the session only.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import streamlit as st

from ...app import class_shares, notices, state
from ...app.uploads import drop_zone, read_name, report_lost, report_too_large
from .._shared import Component, Listener, packed

NOT_IN_LINK = "This link was created with a user's own image, which links do not include. A sample is shown instead."
ENDED = (
    "Your session has ended because the server was restarted or the connection was lost for too long; drop your image "
    "again."
)

component = Component("own_image", Path(__file__).parent)

_HIDDEN = "<style>.st-key-own_dropped, .st-key-own_kept { display: none; }</style>"


def begin(wanted: bool) -> None:
    """Start a new session.

    Args:
        wanted: whether the link refers to the user's own image, which only the browser can have.
    """
    st.session_state.own_request = "wanted" if wanted else "kept"


def is_waiting() -> bool:
    """Return True while the page waits for the image stored by the browser."""
    return st.session_state.own_request == "wanted"


def own_image(again: Callable[[], None]) -> None:
    """Draw the component, which accepts images anywhere on the page and restores the image stored by the browser.

    Args:
        again: function called before the page runs again without an action of the user.
    """
    st.session_state.own_new = st.session_state.pop("own_just_taken", False)
    st.html(_HIDDEN)
    drop_zone("Dropped or pasted image", _take, key="own_dropped")
    drop_zone("Image stored by the browser", lambda name, data: _take_kept(name, data, again), key="own_kept")
    own = st.session_state.own
    # The browser has the files of uploads, but not the images made on the page, which are sent to it.
    made_here = own is not None and own.name in state.MADE_HERE
    data = {
        "own": None if own is None else {"digest": own.digest, "name": own.name, "bytes": len(own.data)},
        "request": st.session_state.own_request,
        "largest": 1_000_000 * st.get_option("server.maxUploadSize"),
        "secret": class_shares.secret(),
    }
    listeners = {
        "nothing": Listener("a report that no image is stored", bool, _nothing_kept),
        "refused": Listener("a file that is too large", read_name, report_too_large),
        "lost": Listener("a file that did not arrive", read_name, partial(report_lost, "own_dropped")),
        "owner": Listener("the owner of shared images", read_name, lambda secret: _take_back(secret, again)),
    }
    parts = {"image": packed({}, {"image": own.data if made_here else b""})}
    component.draw(data, listeners, key="own_image", parts=parts)


def just_taken() -> bool:
    """Return True in the run after an image was dropped or pasted."""
    return st.session_state.own_new


def _take(name: str, data: bytes) -> None:
    st.session_state.own_request = None
    st.session_state.own_just_taken = state.pick_upload(name, data)


def _take_kept(name: str, data: bytes, again: Callable[[], None]) -> None:
    request, st.session_state.own_request = st.session_state.own_request, None
    if request == "wanted":
        state.pick_upload(name, data)
    elif request == "kept":
        again()
        state.keep_upload(name, data)


def _take_back(secret: str, again: Callable[[], None]) -> None:
    again()
    class_shares.take_back(secret)


def _nothing_kept(ended: bool) -> None:
    if is_waiting():
        notices.add([ENDED if ended else NOT_IN_LINK])
    st.session_state.own_request = None
