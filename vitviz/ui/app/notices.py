"""Notices above the page: invalid parts of a link, and reasons why an image was rejected."""

from __future__ import annotations

from collections.abc import Iterable

import streamlit as st

from .messages import escape_markdown

_NOTICES, _IMAGE_PROBLEM = "notices", "image_problem"  # not yet shown
_PLACE = "notices_place"  # container above the page
_SHOWN, _COUNT = "notices_shown", "notices_count"  # notices shown in this run, and number of notices shown so far


def begin(notices: Iterable[str]) -> None:
    """Begin a session with these notices."""
    st.session_state[_NOTICES] = list(notices)


def make_place() -> None:
    """Create the container for the notices of this run."""
    st.session_state[_PLACE] = st.container(key="notices", gap="xxsmall")


def begin_run() -> None:
    """Show notices left over from the last run, and start recording those of this run."""
    st.session_state[_SHOWN] = {_NOTICES: [], _IMAGE_PROBLEM: None}
    show()


def add(notices: Iterable[str]) -> None:
    """Add notices, which are shown with the next run or call of `show`."""
    st.session_state[_NOTICES] = [*st.session_state.get(_NOTICES, ()), *notices]


def set_image_problem(problem: str | None) -> None:
    """Set the reason why an image was rejected; None to clear it."""
    st.session_state[_IMAGE_PROBLEM] = problem


def is_pending() -> bool:
    """Return True if there is something to show."""
    return bool(st.session_state.get(_NOTICES) or st.session_state.get(_IMAGE_PROBLEM))


def show() -> None:
    """Show pending notices once."""
    session = st.session_state
    notices, problem = session.get(_NOTICES, []), session.get(_IMAGE_PROBLEM)
    if not notices and not problem:
        return
    shown = session[_SHOWN]
    shown[_NOTICES] = shown[_NOTICES] + notices
    shown[_IMAGE_PROBLEM] = problem or shown[_IMAGE_PROBLEM]
    with session[_PLACE]:
        if notices:
            st.warning("  \n".join(map(escape_markdown, notices)))
        if problem:
            st.error(escape_markdown(problem))
        session[_COUNT] = session.get(_COUNT, 0) + 1  # the text differs each time, so that the element is rebuilt, open
        st.html(f'<details class="vv-close notice-{session[_COUNT]}" open><summary title="Close">×</summary></details>')
    session[_NOTICES], session[_IMAGE_PROBLEM] = [], None


def repeat() -> None:
    """Show the notices again in the next run, which was not caused by the user."""
    st.session_state.update(st.session_state[_SHOWN])
