"""Notices over the page: what a link asks for in vain, and why an image was not taken."""

from __future__ import annotations

from collections.abc import Iterable

import streamlit as st

from .messages import escape_markdown

_NOTICES, _IMAGE_PROBLEM = "notices", "image_problem"  # what is still to be said
_PLACE = "notices_place"  # where it is said, over the page
_LAST_SAID, _COUNT = "last_said", "said"  # what this run has said already, and how often anything has been said


def begin(notices: Iterable[str]) -> None:
    """Begin a session with these notices."""
    st.session_state[_NOTICES] = list(notices)


def make_place() -> None:
    """Make the place for all notices of this run."""
    st.session_state[_PLACE] = st.container(key="notices", gap="xxsmall")


def begin_run() -> None:
    """Say what is still to be said of the last run, and what this run has to say from here on."""
    st.session_state[_LAST_SAID] = {_NOTICES: [], _IMAGE_PROBLEM: None}
    show()


def add(notices: Iterable[str]) -> None:
    """Say these too, as soon as the place is drawn again or `show` is called."""
    st.session_state[_NOTICES] = [*st.session_state.get(_NOTICES, ()), *notices]


def of_image(problem: str | None) -> None:
    """Say why an image was not taken; None if there is nothing to say any more."""
    st.session_state[_IMAGE_PROBLEM] = problem


def show() -> None:
    """Say what is still to be said; once."""
    session = st.session_state
    notices, problem = session.get(_NOTICES, []), session.get(_IMAGE_PROBLEM)
    if not notices and not problem:
        return
    said = session[_LAST_SAID]
    said[_NOTICES] = said[_NOTICES] + notices
    said[_IMAGE_PROBLEM] = problem or said[_IMAGE_PROBLEM]
    with session[_PLACE]:
        if notices:
            st.warning("  \n".join(map(escape_markdown, notices)))
        if problem:
            st.error(escape_markdown(problem))
        session[_COUNT] = session.get(_COUNT, 0) + 1  # another text for each, so that the browser makes it anew, open
        st.html(f'<details class="vv-close said-{session[_COUNT]}" open><summary title="Close">×</summary></details>')
    session[_NOTICES], session[_IMAGE_PROBLEM] = [], None


def say_again() -> None:
    """Say the same once more, because the page runs again although the user has done nothing."""
    st.session_state.update(st.session_state[_LAST_SAID])
