"""Settings shared by all pages: the view, which selects attention weights, and the style of maps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import streamlit as st

from ...analysis.regions import RELATIONS
from ...notation.marks import (
    format_head,
    format_layer,
    one_of,
    parse_head,
    parse_layer,
    parse_number,
)
from ...notation.queries import format_query, parse_query
from ...notation.view import DIRECTIONS, TokenLayout, View, scales, token_layout
from ...trace.trace import Trace
from ...viz.colour import Style
from . import state
from .settings import Setting, read

NAMES_OF_VIEW = ("layer", "head", "query", "direction", "scale")
_SWITCHES = ("smooth", "marks", "linked")
NAMES_OF_STYLE = ("overlay", *_SWITCHES, "relation")
ON = "on"

_VIEW, _PLACES = "view", "places"  # keys in the session: current view, and the places of the trace that it belongs to


@dataclass(frozen=True)
class ViewSetting(Setting):
    """Setting for the view. The last view shown is kept, even if the user has not chosen it, for the other pages.

    Attributes:
        shown: function that returns the view as shown on a page, which its links contain.
        has_regions: True for a page that shows several pinned patches; on other pages, they count as nothing pinned.
        only: names of the query parameters in the links of a page.
    """

    shown: Callable[[View, state.Choice], View] = lambda view, choice: view
    has_regions: bool = False
    only: tuple[str, ...] = NAMES_OF_VIEW

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the query parameters of a view."""
        return NAMES_OF_VIEW

    def get(self, context: state.Choice) -> View:
        """Return the view last chosen by the user, else that of the link, else the default of the page."""
        return self.of(state.trace(context), context)

    def of(self, trace: Trace, context: state.Choice | None = None) -> View:
        """Return the view for a given trace; see `get`.

        Args:
            trace: current trace.
            context: image and model, if the default depends on them.
        """
        session = st.session_state
        chosen = self.is_set(trace)
        view = self.last(trace)
        if self.default is not None and not chosen:
            view = self.default_value(context)
        elif session.get(_PLACES, token_layout(trace)) != token_layout(
            trace
        ):  # the token index would refer to another token
            view = view.without_pinned_patch(trace, session[_PLACES][0])
        session[_VIEW], session[_PLACES] = view.fitted(trace), token_layout(trace)
        return session[_VIEW] if self.has_regions else session[_VIEW].without_region()

    def last(self, trace: Trace | None = None) -> View:
        """Return the view last shown on any page; if there is none, the last layer of the given trace."""
        return st.session_state[_VIEW] if trace is None else st.session_state.get(_VIEW, View(trace.layers - 1))

    def is_set(self, context: Trace | None = None) -> bool:
        """Return True if the user or a link has chosen the view."""
        if context is not None:
            self.take_from_link(context)
        return bool(self.stored())

    def set(self, value: View, context: Any = None) -> None:
        """Set the view."""
        super().set(True)
        st.session_state[_VIEW] = value

    def choose(self, view: View, seen: TokenLayout | None = None) -> None:
        """Set a view chosen in a component.

        Args:
            view: chosen view.
            seen: places of the trace that the component showed, if they may have changed. On another grid, the index
                of a pinned token would refer to another patch.
        """
        now = st.session_state[_PLACES]
        if seen is not None and seen != now and view.pins_patches(min(seen[0], now[0])):
            view = replace(view, query=None)
        self.set(view)

    def keep(self) -> None:
        """Choose the view last shown, if there is one, so that it stays when the model changes."""
        if _VIEW in st.session_state:
            self.set(self.last())

    def change(self, **fields: Any) -> None:
        """Change the layer, head, token, direction or scale, and keep the rest of the view."""
        self.set(replace(self.last(), **fields))

    def token_at(self, row: int, column: int) -> int:
        """Return the token index of a patch in the current view, for callbacks, which must not hold a trace."""
        prefix, _, columns = st.session_state[_PLACES]
        return prefix + row * columns + column

    def from_link(self, texts: Mapping[str, str], context: Trace) -> tuple[View, list[str]]:
        """Parse a view; see `read_view`."""
        return read_view(texts, context)

    def to_link(self, context: state.Choice) -> dict[str, str]:
        """Return the query parameters of the view as shown on the page."""
        parameters = view_parameters(self.shown(self.get(context), context), state.trace(context))
        return {name: text for name, text in parameters.items() if name in self.only}


@dataclass(frozen=True)
class StyleSetting(Setting):
    """Setting for the style of maps.

    Attributes:
        only: names of the query parameters in the links of a page.
    """

    only: tuple[str, ...] = NAMES_OF_STYLE

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the query parameters of a style."""
        return NAMES_OF_STYLE

    def from_link(self, texts: Mapping[str, str], context: Any = None) -> tuple[Style, list[str]]:
        """Parse a style; see `read_style`."""
        return read_style(texts)

    def to_link(self, context: Any = None) -> dict[str, str]:
        """Return the query parameters that differ from the default style."""
        return {name: text for name, text in style_parameters(self.get()).items() if name in self.only}


VIEW = ViewSetting("view_is_chosen")
STYLE = StyleSetting("style", Style())


def read_view(parameters: Mapping[str, str], trace: Trace) -> tuple[View, list[str]]:
    """Parse the view in a link. Return it, and a notice for each invalid parameter."""
    layer, notices = read({"layer": lambda text: parse_layer(text, trace.config)}, parameters)
    view = View(layer.get("layer", trace.layers - 1))
    parsers = {
        "head": lambda text: parse_head(text, view.layer, trace.config),
        "query": lambda text: parse_query(text, trace),
        "direction": one_of(DIRECTIONS),
        "scale": one_of(scales(trace)),
    }
    values, more = read(parsers, parameters)
    return replace(view, **values), notices + more


def view_parameters(view: View, trace: Trace) -> dict[str, str]:
    """Return the query parameters of a view."""
    parameters = {
        "layer": format_layer(view.layer, trace.config),
        "head": format_head(view.head),
        "direction": view.direction,
        "scale": view.scale,
    }
    return parameters if view.query is None else {**parameters, "query": format_query(view.query, trace)}


def read_style(parameters: Mapping[str, str]) -> tuple[Style, list[str]]:
    """Parse the style in a link. Return it, and a notice for each invalid parameter."""
    parsers = {"overlay": _percent, **dict.fromkeys(_SWITCHES, _switch), "relation": one_of(RELATIONS)}
    values, notices = read(parsers, parameters)
    opacity = {"opacity": values.pop("overlay")} if "overlay" in values else {}
    return Style(**opacity, **values), notices


def style_parameters(style: Style) -> dict[str, str]:
    """Return the query parameters of a style that differ from the default."""
    overlay = {} if style.opacity == Style().opacity else {"overlay": str(style.opacity)}
    relation = {} if style.relation == Style().relation else {"relation": style.relation}
    return overlay | {name: ON for name in _SWITCHES if getattr(style, name)} | relation


def _percent(text: str) -> int:
    if text == "0":
        return 0
    try:
        return parse_number(text, 100) + 1
    except ValueError as error:
        raise ValueError("0 to 100") from error


def _switch(text: str) -> bool:
    return bool(one_of((ON,))(text))
