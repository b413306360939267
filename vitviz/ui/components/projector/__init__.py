"""Projector mode in the browser: large type, and a bar that shows one section of a lesson page at a time.

Arrow keys to the left and right go from section to section. Page Up and Page Down, the keys of a presenter's remote,
also scroll within a section that is taller than the window. Input elements keep these keys, but sliders give up Page Up
and Page Down. The shown section is in the address, so that a reload and the class link open it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import streamlit as st

from ...app import lesson_section
from ...app.projector import PROJECTOR, WINDOW, set_window, window
from .._shared import Component, Listener

component = Component("projector", Path(__file__).parent, isolated=False)
_WRITES, _RUNS = "projector_writes", "projector_runs"  # keys in the session: what follows after the message


@st.fragment
def projector(page: str, on_share: Callable[[], None]) -> None:
    """Draw the bar, which also applies the styles, if the projector mode is on.

    Args:
        page: address of the open page.
        on_share: function called when the user asks for the class link.
    """
    if st.session_state.pop(_RUNS, False):
        st.rerun()  # the whole page
    if not PROJECTOR.get():
        return
    section = lesson_section.SECTION.get(page)
    listeners = {
        "leave": Listener("the end of the projector mode", bool, lambda _: _leave()),
        "share": Listener("a wish for the class link", bool, lambda _: _share(on_share)),
        "window": Listener("the width of the window", _read_width, _resize),
        "section": Listener("a section", lesson_section.reader(page), partial(_show, page)),
    }
    data = {"page": page, "section": section.get() if section else "", "window": window(), "widths": WINDOW}
    component.draw(data, listeners, key="projector_bar")
    if st.session_state.pop(_WRITES, False) and section:
        st.query_params[lesson_section.NAME] = section.get()


def _leave() -> None:
    PROJECTOR.set(False)
    st.session_state[_RUNS] = True


def _share(on_share: Callable[[], None]) -> None:
    on_share()
    st.session_state[_RUNS] = True


def _show(page: str, section: str) -> None:
    lesson_section.choose(page, section)
    st.session_state[_WRITES] = True


def _read_width(message: object) -> int:
    if not isinstance(message, int) or not WINDOW[0] <= message <= WINDOW[1]:
        raise ValueError(message)
    return message


def _resize(width: int) -> None:
    set_window(width)
    st.session_state[_RUNS] = True  # charts are drawn with another size of type
