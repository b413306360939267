"""Messages of the explorer: the view and the style that a user has chosen."""

from __future__ import annotations

from ....notation.view import TokenLayout, View
from ....viz.colour import Style
from .._shared import whole_number


def read_style(message: object) -> Style:
    """Parse a style sent by a browser.

    Raises:
        ValueError: if the message is invalid.
    """
    if isinstance(message, dict) and "opacity" in message:
        message = message | {"opacity": whole_number(message["opacity"])}
    return Style.read(message)


def read_view(message: object) -> tuple[View, TokenLayout]:
    """Parse a view sent by a browser, with the places of the trace that was shown.

    Raises:
        ValueError: if the message is invalid.
    """
    if not isinstance(message, dict) or set(message) != {"view", "places"}:
        raise ValueError("not a view with its places")
    seen = message["places"]
    if not isinstance(seen, list) or len(seen) != 3:
        raise ValueError("not the places of a trace")
    prefix, rows, columns = map(whole_number, seen)
    return View.from_dict(message["view"]), (prefix, rows, columns)
