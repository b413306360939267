"""The explorer: point at a patch and see where every head of every layer looks."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np

from ....notation.view import Places, View, places
from ....trace.trace import Trace
from ....viz.colour import Style
from .._shared import Component, Listener
from .payload import Vectors, payload, read_style, read_view

component = Component("explorer", Path(__file__).parent)


def explorer(
    trace: Trace,
    sent: Vectors,
    view: View,
    style: Style,
    *,
    sums: np.ndarray | None,
    picture: bytes,
    image_name: str,
    on_view: Callable[[View, Places], None],
    on_style: Callable[[Style], None],
    key: str,
) -> None:
    """Draw the explorer.

    Args:
        trace: what is looked at.
        sent: the queries and keys of the layers that follow the pointer.
        view: what is shown: the session's, whether the explorer has just appeared or was there before.
        style: how it is drawn; the session's, too.
        sums: the trace's log-sums, if layers that are not sent may show columns.
        picture: the photo as JPEG.
        image_name: what the picture shows, for those who cannot see it.
        on_view: called, before the page runs again, with what the visitor has pinned or chosen, and the places of the
            trace that they saw meanwhile (see `vitviz.notation.view.places`); never by hovering.
        on_style: called with the style that the visitor has chosen.
        key: identity of this explorer in the session.
    """
    parts = payload(trace, sent, view, sums=sums, picture=picture, image_name=image_name)
    listeners = {
        "view": Listener("a view", read_view, lambda message: on_view(*message)),
        "style": Listener("a style", read_style, on_style),
    }
    said = {"view": asdict(view), "style": asdict(style), "places": places(trace)}
    component.draw(said, listeners, key=key, parts=parts)
