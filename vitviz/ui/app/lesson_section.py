"""Section of a lesson page, for links that open at it.

The browser knows which section is in view. It tells the section in projector mode, where one is shown at a time, and
when the class link is opened. Addresses contain it in projector mode only, so that scrolling does not change them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import streamlit as st

from ...notation.marks import one_of
from .projector import PROJECTOR
from .settings import Setting

NAME = "section"
SECTIONS = {  # names by page, in order; see `vitviz.ui.pages.lesson.sections.part`
    "sequence": (
        "input",
        "splitting",
        "flattening",
        "projection",
        "positions",
        "sequence",
        "what_if",
        "questions",
        "summary",
    ),
    "attention": (
        "idea",
        "qkv",
        "scores",
        "softmax",
        "values",
        "network",
        "output",
        "reach",
        "questions",
        "summary",
    ),
}
_PAGE, _OPENED = "page", "section_is_opened"  # keys in the session: open page, and whether a page was opened before


def _setting(page: str) -> Setting:
    names = SECTIONS[page]
    return Setting(
        f"{NAME}_{page}",
        "",
        NAME,
        read=lambda text, _: one_of(names)(text),
        write=lambda name, _: name if PROJECTOR.get() else "",
        valid=lambda name, _: name in names,
    )


SECTION = {page: _setting(page) for page in SECTIONS}


def open_page() -> str:
    """Return the address of the open page; see `vitviz.ui.app.shell`."""
    return st.session_state.get(_PAGE, "")


def from_link(page: str) -> str:
    """Return the section with which the link has opened this page, once in a session; empty if there is none."""
    is_first, st.session_state[_OPENED] = not st.session_state.get(_OPENED), True
    return SECTION[page].get() if is_first and page in SECTION else ""


def reader(page: str) -> Callable[[object], str]:
    """Return a parser of sections of a page, as told by a browser, which raises a `ValueError` for others."""
    return partial(_read, SECTIONS.get(page, ()))


def _read(names: tuple[str, ...], message: object) -> str:
    if message not in names:
        raise ValueError("not a section of the page")
    return str(message)


def choose(page: str, name: str) -> None:
    """Note the section that is in view on a page."""
    SECTION[page].set(name)
