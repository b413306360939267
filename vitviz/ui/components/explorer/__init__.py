"""Attention explorer: attention of all heads and layers for the patch under the pointer."""

from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import asdict
from pathlib import Path

import numpy as np
import streamlit as st

from ....notation.view import TokenLayout, View, token_layout
from ....trace.trace import Trace
from ....viz.browser.binary import header_of
from ....viz.colour import Style
from ....viz.explorer import MARKUP
from ....viz.explorer.payload import Vectors, payload
from .._shared import Component, Listener
from .messages import read_style, read_view

TOKENS = "tokens"  # name of the part
component = Component("explorer", Path(__file__).parent, base=MARKUP)


def explorer(
    trace: Trace,
    sent: Vectors,
    view: View,
    style: Style,
    *,
    sums: np.ndarray | None,
    picture: bytes,
    image_name: str,
    is_public: bool,
    token_source: str,
    tokens_key: str | None,
    on_view: Callable[[View, TokenLayout], None],
    on_style: Callable[[Style], None],
    key: str,
) -> Callable[[bytes], None]:
    """Draw the explorer, and return a function that sends the tokens of linked views.

    Args:
        trace: trace to explore.
        sent: queries and keys of the layers that follow the pointer.
        view: current view of the session.
        style: current style of the session.
        sums: log-sums of the trace, if layers that are not sent may show columns.
        picture: displayed image, JPEG.
        image_name: alternative text of the picture.
        is_public: whether the server offers the image to all users. Only then the browser fetches layers: nothing that
            is computed from an image of a user has an address.
        token_source: identity of the trace, see `vitviz.viz.explorer.linked.tokens_part`.
        tokens_key: identity of the tokens that are sent afterwards; None for none.
        on_view: function called when the user pins or chooses something, before the page runs again, with the view and
            the places of the trace that was shown (see `vitviz.notation.view.places`). Hovering does not call it.
        on_style: function called with the style chosen by the user.
        key: identity of the explorer in the session.
    """
    parts = payload(trace, sent, view, sums=sums, picture=picture, image_name=image_name)
    listeners = {
        "view": Listener("a view", read_view, lambda message: on_view(*message)),
        "style": Listener("a style", read_style, on_style),
    }
    state = {
        "view": asdict(view),
        "style": asdict(style),
        "places": token_layout(trace),
        "token_source": token_source,
    }
    later = later_parts(parts, st.session_state.setdefault(f"{key}_sent", {})) if is_public else ()
    promised = {} if tokens_key is None else {TOKENS: tokens_key}
    send = component.draw(state, listeners, key=key, parts=parts, later=later, promised=promised)
    return lambda part: send(TOKENS, part)


def later_parts(parts: Mapping[str, bytes], memory: MutableMapping[str, str]) -> list[str]:
    """Return the names of the layers that are not sent, because the browser fetches them.

    Of an image whose layers all follow the pointer, only the layer is sent with which the image was opened. It stays
    the same, because the browser would otherwise be sent layers that it has already fetched.

    Args:
        parts: see `payload`.
        memory: layer that was sent, kept between calls.
    """
    layers = [name for name in parts if name.startswith("layer ")]
    if "rows" in parts:  # one layer at a time
        return []
    image = header_of(parts["frame"])["key"]
    if memory.get("image") != image:
        memory |= {"image": image, "layer": layers[0]}
    return [name for name in layers if name != memory["layer"]]
