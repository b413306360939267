"""The guided tour: a card that goes with the visitor over the pages, and a ring around what it speaks about.

Which stop a visitor is at is in their session and in the address (`?tour=7`, from 1). What they have tried is noticed
and kept by their browser alone.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import streamlit as st

from .. import models, state
from ..link import TOUR
from ..mounting import Component, Listener
from .stops import Stop, stops

KEY = "tour_card"

_FOLDER = Path(__file__).parent
_component = Component(
    "tour", **{kind: (_FOLDER / f"tour.{kind}").read_text("utf-8") for kind in ("html", "css", "js")}
)

# The card needs no room in the page, but the end of a page must be able to come out from under it.
_ROOM = """<style>
.st-key-tour { position: absolute; }
[data-testid="stMainBlockContainer"] { padding-bottom: 20rem; }
</style>"""


def offer(key: str, **button) -> None:
    """A button that begins the tour, or goes on where it was left; none while it is on.

    Args:
        key: identity of the button in the session.
        **button: what else `st.button` should know.
    """
    if at() is not None:
        return
    left = st.session_state.get("tour_left", 0)
    words = f"Resume the tour at stop {left + 1}" if left else "Take the guided tour"
    st.button(words, icon=":material/tour:", key=key, on_click=begin_at, args=(left,), **button)


def at() -> int | None:
    """Which stop this visitor is at, from 0; None if they do not take the tour."""
    return st.session_state.get("tour")


def begin_at(stop: int | None) -> None:
    """Be at this stop from now on; at none if None. `turn_to_its_page` follows."""
    st.session_state.tour, st.session_state.tour_turns = stop, stop is not None


def count() -> int:
    """How many stops there are, for any model."""
    return len(_stops())


def parameters() -> dict[str, str]:
    """What the tour adds to the address."""
    return {} if at() is None else {TOUR: str(at() + 1)}


def turn_to_its_page(shown: str) -> None:
    """Open the page of a stop that has just been chosen, unless it is the one that is shown.

    Visitors may look at other pages meanwhile: then nothing turns back.
    """
    if st.session_state.pop("tour_turns", False):
        page = _stops()[at()].page
        if page != shown:
            st.switch_page(f"pages/{page}.py")


@st.fragment
def tour(shown: str) -> None:
    """Draw the card, if the visitor takes the tour.

    Args:
        shown: the page that is open, as its address names it.
    """
    if at() is None:
        if st.session_state.pop("tour_ends", False):
            st.query_params.pop(TOUR, None)
            st.rerun()  # all of the page: the tour is offered again
        return
    st.html(_ROOM)
    with st.container(key="tour"):
        data = {"at": at(), "page": shown, "stops": [asdict(stop) for stop in _stops()]}
        listeners = {"go": Listener("a stop of the tour", _stop, _go), "leave": Listener("leave", bool, _leave)}
        _component.draw(data, listeners, key=KEY)
    if st.session_state.pop("tour_goes", False):
        turn_to_its_page(shown)
        st.query_params[TOUR] = str(at() + 1)


def read_stop(message: object, stops: int) -> int:
    """Which stop a browser asks for, from 0.

    Raises:
        ValueError: if there is no such stop. Anybody can send a message.
    """
    if isinstance(message, bool) or not isinstance(message, int) or not 0 <= message < stops:
        raise ValueError(f"no stop of {stops}")
    return message


def _stop(message: object) -> int:
    return read_stop(message, count())


def _go(stop: int) -> None:
    st.session_state.tour_goes = True
    begin_at(stop)


def _leave(_: bool) -> None:
    last = at() == count() - 1
    st.session_state.tour_left = 0 if last else at()
    st.session_state.tour_ends = True
    begin_at(None)


def _stops() -> tuple[Stop, ...]:
    return stops(models.about(state.choice().model).config)
