"""The tour and the lesson: a card that goes with the visitor over the pages, and a ring around what it speaks about.

The tour has five stops in the explorer; the lesson leads through both pages of explanations and ends there. Which stop
a visitor is at is in their session and in the address (`?guide=lesson-7`, from 1). What they have tried is noticed and
kept by their browser alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import streamlit as st

from ....model.config import ViTConfig
from ...components._shared import Component, Listener
from .. import models, state
from ..link import GUIDE
from ..registry import page_at
from .explorer_tour import explorer_tour
from .lesson import lesson
from .stops import Stop

KEY = "tour_card"


class Guide(NamedTuple):
    """A guide through the app.

    Attributes:
        title: what the card is called.
        offers: what the button says that begins it.
        resumes: what the button says that goes on with it, before the stop's number.
        icon: of the button.
        stops: makes its stops for a model.
    """

    title: str
    offers: str
    resumes: str
    icon: str
    stops: Callable[[ViTConfig], tuple[Stop, ...]]


GUIDES = {
    "tour": Guide("Tour", "Take the two-minute tour", "Resume the tour at stop", ":material/tour:", explorer_tour),
    "lesson": Guide("Lesson", "Take the lesson", "Resume the lesson at stop", ":material/school:", lesson),
}

component = Component("tour", Path(__file__).parent)

# The card needs no room in the page, but the end of a page must be able to come out from under it.
_ROOM = """<style>
.st-key-tour { position: absolute; }
[data-testid="stMainBlockContainer"] { padding-bottom: 20rem; }
</style>"""


def offer(guide: str, key: str, **button) -> None:
    """A button that begins a guide, or goes on where it was left; none while one is on.

    Args:
        guide: its name in `GUIDES`.
        key: identity of the button in the session.
        **button: what else `st.button` should know.
    """
    if at() is not None:
        return
    known, left = GUIDES[guide], _left().get(guide, 0)
    words = f"{known.resumes} {left + 1}" if left else known.offers
    st.button(words, icon=known.icon, key=key, on_click=begin_at, args=((guide, left),), **button)


def of_page(page: str) -> str:
    """The guide that is offered on a page, given by its address."""
    return page_at(page).guide


def at() -> tuple[str, int] | None:
    """Name of the guide that the user follows, and its current stop, from 0; None if they follow none."""
    return st.session_state.get("tour")


def begin_at(stop: tuple[str, int] | None) -> None:
    """Be at this stop from now on; at none if None. `open_stop_page` follows."""
    st.session_state.tour, st.session_state.tour_turns = stop, stop is not None


def counts() -> dict[str, int]:
    """Number of stops of each guide, for any model."""
    return {name: len(_stops(name)) for name in GUIDES}


def parameters() -> dict[str, str]:
    """Query parameters of the guide."""
    return {} if at() is None else {GUIDE: _mark(*at())}


def _mark(guide: str, stop: int) -> str:
    return f"{guide}-{stop + 1}"


def open_stop_page(shown: str) -> None:
    """Open the page of a stop that has just been chosen, unless it is the one that is shown.

    Visitors may look at other pages meanwhile: then nothing turns back.
    """
    if st.session_state.pop("tour_turns", False):
        guide, stop = at()
        page = _stops(guide)[stop].page
        if page != shown:
            st.switch_page(page_at(page).file)


@st.fragment
def tour(shown: str) -> None:
    """Draw the card, if the visitor follows a guide.

    Args:
        shown: the page that is open, as its address names it.
    """
    if at() is None:
        if st.session_state.pop("tour_ends", False):
            st.query_params.pop(GUIDE, None)
            st.rerun()  # all of the page: the tour is offered again
        return
    st.html(_ROOM)
    guide, stop = at()
    with st.container(key="tour"):
        data = {
            "guide": guide,
            "title": GUIDES[guide].title,
            "at": stop,
            "page": shown,
            "stops": [asdict(one) for one in _stops(guide)],
        }
        listeners = {"go": Listener("a stop of the tour", _stop, _go), "leave": Listener("leave", bool, _leave)}
        component.draw(data, listeners, key=KEY)
    if st.session_state.pop("tour_goes", False):
        open_stop_page(shown)
        st.query_params[GUIDE] = _mark(guide, stop)


def read_stop(message: object, stops: int) -> int:
    """Which stop a browser asks for, from 0.

    Raises:
        ValueError: if there is no such stop. Anybody can send a message.
    """
    if isinstance(message, bool) or not isinstance(message, int) or not 0 <= message < stops:
        raise ValueError(f"no stop of {stops}")
    return message


def _stop(message: object) -> int:
    return read_stop(message, len(_stops(at()[0])) if at() else 0)


def _go(stop: int) -> None:
    st.session_state.tour_goes = True
    begin_at((at()[0], stop))


def _leave(_: bool) -> None:
    if at() is None:  # a second click
        return
    guide, stop = at()
    _left()[guide] = 0 if stop == len(_stops(guide)) - 1 else stop
    st.session_state.tour_ends = True
    begin_at(None)


def _left() -> dict[str, int]:
    """Stop at which the user has left each guide."""
    return st.session_state.setdefault("tour_left", {})


def _stops(guide: str) -> tuple[Stop, ...]:
    return GUIDES[guide].stops(models.describe(state.choice().model).config)
