"""Tour and lesson: guides that show a card on the pages, and a ring around the described element.

The tour has five stops in the explorer. The lesson covers both explanation pages and ends in the explorer. The current
stop is stored in the session and in the address (`?guide=lesson-7`, from 1). The browser detects and stores which hints
the user has tried.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import streamlit as st

from ....model.config import ViTConfig
from ....trace.vision_transformer import VisionTransformer
from ...components._shared import Component, Listener
from .. import models, state
from ..link import GUIDE
from ..registry import page_at
from .explorer_tour import explorer_tour
from .lesson import lesson
from .stops import Stop

KEY = "tour_card"


class Guide(NamedTuple):
    """Guide through the app.

    Attributes:
        title: title of the card.
        start_label: label of the button that starts the guide.
        resume_label: label of the button that resumes the guide, before the number of the stop.
        icon: icon of the button.
        stops: function that returns the stops for a configuration, and for the model if it is loaded, whose texts then
            mention what the configuration lacks.
    """

    title: str
    start_label: str
    resume_label: str
    icon: str
    stops: Callable[[ViTConfig, VisionTransformer | None], tuple[Stop, ...]]


GUIDES = {
    "tour": Guide("Tour", "Take the two-minute tour", "Resume the tour at stop", ":material/tour:", explorer_tour),
    "lesson": Guide("Lesson", "Take the lesson", "Resume the lesson at stop", ":material/school:", lesson),
}

component = Component("tour", Path(__file__).parent)

# The card takes no space in the page. The padding allows scrolling the end of the page above the card.
_ROOM = """<style>
.st-key-tour { position: absolute; }
[data-testid="stMainBlockContainer"] { padding-bottom: 20rem; }
</style>"""


def offer(guide: str, key: str, **button) -> None:
    """Draw a button that starts or resumes a guide, unless a guide is active.

    Args:
        guide: name in `GUIDES`.
        key: key of the button.
        **button: keyword arguments of `st.button`.
    """
    if at() is not None:
        return
    known, left = GUIDES[guide], _left().get(guide, 0)
    label = f"{known.resume_label} {left + 1}" if left else known.start_label
    st.button(label, icon=known.icon, key=key, on_click=begin_at, args=((guide, left),), **button)


def of_page(page: str) -> str:
    """Return the name of the guide offered on a page, given by its address."""
    return page_at(page).guide


def at() -> tuple[str, int] | None:
    """Return the name of the active guide and its current stop, from 0; None if no guide is active."""
    return st.session_state.get("tour")


def begin_at(stop: tuple[str, int] | None) -> None:
    """Set the current stop, or end the guide if None. Call `open_stop_page` afterwards."""
    st.session_state.tour, st.session_state.tour_turns = stop, stop is not None


def counts() -> dict[str, int]:
    """Return the number of stops by guide, which is the same for all models."""
    return {name: len(_stops(name)) for name in GUIDES}


def parameters() -> dict[str, str]:
    """Return the query parameters of the active guide."""
    return {} if at() is None else {GUIDE: _mark(*at())}


def _mark(guide: str, stop: int) -> str:
    return f"{guide}-{stop + 1}"


def open_stop_page(shown: str) -> None:
    """Open the page of a stop that has just been chosen, unless it is already open.

    This happens once per stop: users may visit other pages during a guide.

    Args:
        shown: address of the open page.
    """
    if st.session_state.pop("tour_turns", False):
        guide, stop = at()
        page = _stops(guide)[stop].page
        if page != shown:
            st.switch_page(page_at(page).file)


@st.fragment
def tour(shown: str) -> None:
    """Draw the card if a guide is active.

    Args:
        shown: address of the open page.
    """
    if at() is None:
        if st.session_state.pop("tour_ends", False):
            st.query_params.pop(GUIDE, None)
            st.rerun()  # the whole page, to show the start button again
        return
    st.html(_ROOM)
    guide, stop = at()
    with st.container(key="tour"):
        data = {
            "guide": guide,
            "title": GUIDES[guide].title,
            "at": stop,
            "page": shown,
            "stops": [asdict(one) for one in _stops(guide, state.model(state.choice().model))],
        }
        listeners = {"go": Listener("a stop of the tour", _stop, _go), "leave": Listener("leave", bool, _leave)}
        component.draw(data, listeners, key=KEY)
    if st.session_state.pop("tour_goes", False):
        open_stop_page(shown)
        st.query_params[GUIDE] = _mark(guide, stop)


def read_stop(message: object, stops: int) -> int:
    """Parse a stop, from 0, sent by a browser.

    Raises:
        ValueError: if the stop does not exist.
    """
    if isinstance(message, bool) or not isinstance(message, int) or not 0 <= message < stops:
        raise ValueError(f"not one of {stops} stops")
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
    """Return the stop at which the user left each guide."""
    return st.session_state.setdefault("tour_left", {})


def _stops(guide: str, model: VisionTransformer | None = None) -> tuple[Stop, ...]:
    return GUIDES[guide].stops(models.describe(state.choice().model).config, model)
