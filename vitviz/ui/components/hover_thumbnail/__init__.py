"""Thumbnail beside the pointer while it is on a point of a chart. The browser asks for one when the pointer rests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ....viz.inline import data_url
from .._shared import Component, Listener, whole_number

component = Component("hover_thumbnail", Path(__file__).parent)


@dataclass(frozen=True)
class Thumbnail:
    """Thumbnail of an image.

    Attributes:
        position: position of the image.
        picture: bytes of an image file.
    """

    position: int
    picture: bytes


def hover_thumbnail(
    chart: str, answer: Thumbnail | None, *, most: int, on_hover: Callable[[int], object], key: str
) -> None:
    """Show thumbnails on a plotly chart whose points have the positions of their images as `customdata`.

    Args:
        chart: key of the chart.
        answer: answer to the last question; None if there was none.
        most: largest position.
        on_hover: function called with the position of the image on whose point the pointer rests.
        key: identity of the component in the session; another set of images needs another one.
    """
    shown = None if answer is None else {"position": answer.position, "picture": data_url(answer.picture)}
    listeners = {"hover": Listener("a position", partial(_read_position, most), on_hover)}
    component.draw({"chart": chart, "answer": shown}, listeners, key=key)


def _read_position(most: int, value: object) -> int:
    position = whole_number(value)
    if not 0 <= position <= most:
        raise ValueError("not a position of an image")
    return position
