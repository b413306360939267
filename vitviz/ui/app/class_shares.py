"""Images that the user of this session shares with a class.

The session, and the tab of the browser for a reload, hold a secret that makes it the owner of its shares; see
`vitviz.ui.app.class_images`.
"""

from __future__ import annotations

import secrets
from typing import Protocol

import streamlit as st

from .class_images import STORE, Share

OWNER = "class_owner"  # key in the session


class _Image(Protocol):
    """Image of the user."""

    @property
    def name(self) -> str: ...

    @property
    def data(self) -> bytes: ...

    @property
    def digest(self) -> str: ...


def shares() -> tuple[Share, ...]:
    """Return the shares of this session, oldest first."""
    return STORE.owned(st.session_state[OWNER]) if OWNER in st.session_state else ()


def of_image(image: _Image) -> Share | None:
    """Return this session's share of an image; None if it does not share it."""
    return next((share for share in shares() if share.digest == image.digest), None)


def begin(image: _Image, hours: float) -> None:
    """Share an image.

    Raises:
        ImageError: if there is no room for it.
    """
    STORE.share(image.data, hours, st.session_state.setdefault(OWNER, secrets.token_urlsafe(16)), image.name)


def end(name: str) -> None:
    """End a share of this session, given by its name."""
    if OWNER in st.session_state:
        STORE.end(name, st.session_state[OWNER])


def end_image(image: _Image | None) -> None:
    """End the share of an image, if this session shares it."""
    share = None if image is None else of_image(image)
    if share is not None:
        end(share.name)


def secret() -> str:
    """Return the secret of this session, for its browser; empty if it shares nothing."""
    return st.session_state[OWNER] if shares() else ""


def take_back(secret: str) -> None:
    """Become the owner of the shares that the browser's tab has begun before a reload."""
    if not shares() and STORE.owned(secret):
        st.session_state[OWNER] = secret
