"""Head taught by the user, in use on all pages or not."""

from __future__ import annotations

import streamlit as st

from ...zoo.heads import LinearHead
from ...zoo.heads.head_file import read_head
from . import state

_HEAD, _USED = "taught_head", "taught_head_is_used"


def use_head(head: LinearHead) -> None:
    """Use a head on all pages."""
    st.session_state[_HEAD], st.session_state[_USED] = head, True


def head() -> LinearHead | None:
    """Return the head of this session; None if there is none."""
    return st.session_state.get(_HEAD)


def is_used() -> bool:
    """Return True if pages use the head."""
    return bool(st.session_state.get(_USED))


def base() -> str:
    """Return the name of the chosen model without a head, on which heads are fitted."""
    return state.MODEL.get()


def leave_head() -> None:
    """Stop using the head, and keep it."""
    st.session_state[_USED] = False


def forget_head() -> None:
    """Stop using the head, and delete it."""
    st.session_state[_HEAD], st.session_state[_USED] = None, False


def read(data: bytes, name: str) -> LinearHead:
    """Read a head from the content of a file."""
    return read_head(data, name)
