"""View and style as settings: which attention is looked at, and how maps are drawn; the same on all pages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import streamlit as st

from ...notation.marks import (
    format_head,
    format_layer,
    format_token,
    one_of,
    parse_head,
    parse_layer,
    parse_number,
    parse_token,
)
from ...notation.view import DIRECTIONS, TokenLayout, View, scales, token_layout
from ...trace.trace import Trace
from ...viz.colour import Style
from . import state
from .settings import Setting, read

NAMES_OF_VIEW = ("layer", "head", "query", "direction", "scale")
NAMES_OF_STYLE = ("overlay", "smooth", "marks")
ON = "on"

_VIEW, _PLACES = "view", "places"  # in the session: what is looked at, and the places of the trace that this was


@dataclass(frozen=True)
class ViewSetting(Setting):
    """The view. It is kept as it was shown last, also if nobody has chosen it: other pages go on from there.

    Attributes:
        shown: what of the view a page shows, which its links hold.
        only: the query parameters of a page's links.
    """

    shown: Callable[[View, state.Choice], View] = lambda view, choice: view
    only: tuple[str, ...] = NAMES_OF_VIEW

    @property
    def names(self) -> tuple[str, ...]:
        """All query parameters of a view."""
        return NAMES_OF_VIEW

    def get(self, context: state.Choice) -> View:
        """The user's view: what they chose last, else what the link asks for, else what the page opens with."""
        return self.of(state.trace(context), context)

    def of(self, trace: Trace, context: state.Choice | None = None) -> View:
        """The same for a trace that is at hand.

        Args:
            trace: what is looked at.
            context: image and model, where the default depends on them.
        """
        session = st.session_state
        chosen = self.is_set(trace)
        view = self.last(trace)
        if self.default is not None and not chosen:
            view = self.first(context)
        elif session.get(_PLACES, token_layout(trace)) != token_layout(trace):  # the same number would be another token
            view = view.without_pinned_patch(trace, session[_PLACES][0])
        session[_VIEW], session[_PLACES] = view.fitted(trace), token_layout(trace)
        return session[_VIEW]

    def last(self, trace: Trace | None = None) -> View:
        """The view that was shown last on any page; before that, of the trace that is given, the last layer."""
        return st.session_state[_VIEW] if trace is None else st.session_state.get(_VIEW, View(trace.layers - 1))

    def is_set(self, context: Trace | None = None) -> bool:
        """Whether the user, or a link, has chosen the view."""
        if context is not None:
            self.take_from_link(context)
        return bool(self.kept())

    def set(self, value: View, context: Any = None) -> None:
        """Choose a view."""
        super().set(True)
        st.session_state[_VIEW] = value

    def choose(self, view: View, seen: TokenLayout | None = None) -> None:
        """Choose a view on a component.

        Args:
            view: what was chosen.
            seen: the places of the trace that the user saw, if these may be others than now: on another grid the number
                of a pinned token would be another place.
        """
        now = st.session_state[_PLACES]
        if seen is not None and seen != now and view.query is not None and view.query >= min(seen[0], now[0]):
            view = replace(view, query=None)
        self.set(view)

    def change(self, **fields: Any) -> None:
        """Choose another layer, head, token, direction or scale; the rest of the view stays."""
        self.set(replace(self.last(), **fields))

    def token_at(self, row: int, column: int) -> int:
        """The token of a patch in what is looked at now; for callbacks, which keep no trace in memory."""
        prefix, _, columns = st.session_state[_PLACES]
        return prefix + row * columns + column

    def from_link(self, texts: Mapping[str, str], context: Trace) -> tuple[View, list[str]]:
        """See `read_view`."""
        return read_view(texts, context)

    def to_link(self, context: state.Choice) -> dict[str, str]:
        """The query parameters that reopen what the page shows of the view."""
        parameters = view_parameters(self.shown(self.get(context), context), state.trace(context))
        return {name: text for name, text in parameters.items() if name in self.only}


@dataclass(frozen=True)
class StyleSetting(Setting):
    """The style.

    Attributes:
        only: the query parameters of a page's links.
    """

    only: tuple[str, ...] = NAMES_OF_STYLE

    @property
    def names(self) -> tuple[str, ...]:
        """All query parameters of a style."""
        return NAMES_OF_STYLE

    def from_link(self, texts: Mapping[str, str], context: Any = None) -> tuple[Style, list[str]]:
        """See `read_style`."""
        return read_style(texts)

    def to_link(self, context: Any = None) -> dict[str, str]:
        """What differs from the usual style."""
        return {name: text for name, text in style_parameters(self.get()).items() if name in self.only}


VIEW = ViewSetting("view_is_chosen")
STYLE = StyleSetting("style", Style())


def read_view(parameters: Mapping[str, str], trace: Trace) -> tuple[View, list[str]]:
    """The view that a link asks for, and a notice for each part that could not be used."""
    layer, notices = read({"layer": lambda text: parse_layer(text, trace.config)}, parameters)
    view = View(layer.get("layer", trace.layers - 1))
    understand = {
        "head": lambda text: parse_head(text, view.layer, trace.config),
        "query": lambda text: parse_token(text, trace),
        "direction": one_of(DIRECTIONS),
        "scale": one_of(scales(trace)),
    }
    asked, more = read(understand, parameters)
    return replace(view, **asked), notices + more


def view_parameters(view: View, trace: Trace) -> dict[str, str]:
    """The query parameters that reopen a view."""
    parameters = {
        "layer": format_layer(view.layer, trace.config),
        "head": format_head(view.head),
        "direction": view.direction,
        "scale": view.scale,
    }
    return parameters if view.query is None else {**parameters, "query": format_token(view.query, trace)}


def read_style(parameters: Mapping[str, str]) -> tuple[Style, list[str]]:
    """The style that a link asks for, and a notice for each part that could not be used."""
    asked, notices = read({"overlay": _percent, "smooth": _switch, "marks": _switch}, parameters)
    opacity = {"opacity": asked.pop("overlay")} if "overlay" in asked else {}
    return Style(**opacity, **asked), notices


def style_parameters(style: Style) -> dict[str, str]:
    """The query parameters that reopen a style: what differs from the usual one."""
    overlay = {} if style.opacity == Style().opacity else {"overlay": str(style.opacity)}
    return overlay | {name: ON for name in ("smooth", "marks") if getattr(style, name)}


def _percent(text: str) -> int:
    if text == "0":
        return 0
    try:
        return parse_number(text, 100) + 1
    except ValueError as error:
        raise ValueError("0 to 100") from error


def _switch(text: str) -> bool:
    return bool(one_of((ON,))(text))
