"""Image that the class shares, in the session of somebody who opened its link."""

import hashlib

import streamlit as st

from . import class_images, decoded_images, notices, state
from .cache import cached
from .class_images import ClassImage


def pick() -> None:
    """Choose the image of the class, if the session has one."""
    if st.session_state.class_image is not None:
        st.session_state.picked = st.session_state.class_image


def has_ended() -> bool:
    """Return True if the session has an image of the class that is no longer shared."""
    shared = st.session_state.class_image
    return shared is not None and not shared.is_shared


def check() -> None:
    """Replace an image that is no longer shared by a sample, and say so if it was being looked at."""
    if not has_ended():
        return
    shared, st.session_state.class_image = st.session_state.class_image, None
    if st.session_state.picked == shared:
        state.pick_sample(state.first_sample(state.MODEL.get()))
        notices.add([class_images.GONE])


def thumbnail() -> bytes:
    """Return a thumbnail of the image of the class. It is deleted with the image, as all results computed from it."""
    shared = st.session_state.class_image
    drawn = _thumbnail(shared.digest, shared)
    class_images.STORE.add_part(shared.shared, hashlib.sha256(drawn).hexdigest())
    return drawn


@cached()
def _thumbnail(digest: str, _shared: ClassImage) -> bytes:
    return decoded_images.thumbnail(decoded_images.decoded(_shared.digest, _shared.data))
