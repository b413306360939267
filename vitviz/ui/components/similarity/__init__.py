"""Cosine similarity of all patch tokens to that of the patch under the pointer, as an overlay of the picture."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from ....analysis.tokens import similarity as cosine
from ...widgets.strips import number
from .. import patches
from .._shared import Component, packed
from ..patches import Overlay, Patch, choices
from ..patches.payload import payload as picker_payload

__all__ = ["payload", "sent_once", "similarity_picker"]

component = Component("similarity", Path(__file__).parent, base=patches.component)


def similarity_picker(
    picture: bytes,
    picture_name: str,
    grid: tuple[int, int],
    chosen: Patch,
    directions: np.ndarray,
    prefix_names: tuple[str, ...],
    caption: str,
    *,
    on_choose: Callable[[int, int], None],
    key: str,
) -> None:
    """Draw the picture. Pointing at a patch colours all others by cosine similarity; a click chooses the patch.

    Args:
        picture: JPEG or PNG of exactly the area of the patches.
        picture_name: alternative text of the picture.
        grid: rows and columns of patches.
        chosen: (row, column), from 0, of the patch that is compared while the pointer is elsewhere.
        directions: `vitviz.tokens.directions` of the layer, float32 [token, D], prefix tokens first.
        prefix_names: names of the prefix tokens.
        caption: one line with the layer and the kind of similarity.
        on_choose: function called with row and column when the user chooses a patch, before the page runs again.
        key: identity of the component in the session.
    """
    data = payload(picture, picture_name, grid, chosen, directions, prefix_names, caption)
    parts = {"directions": sent_once(directions)}
    component.draw(data, choices(grid, {"query": on_choose}), key=key, parts=parts)


def payload(
    picture: bytes,
    picture_name: str,
    grid: tuple[int, int],
    chosen: Patch,
    directions: np.ndarray,
    prefix_names: tuple[str, ...],
    caption: str,
) -> dict:
    """Return the state of the component without the directions; see `similarity_picker`.

    Raises:
        ValueError: if the number of directions differs from the number of tokens.
    """
    prefix, patch = len(prefix_names), chosen[0] * grid[1] + chosen[1]
    if len(directions) != prefix + grid[0] * grid[1]:
        raise ValueError(
            f"{len(directions)} tokens do not match {prefix} prefix tokens and a {grid[0]} x {grid[1]} grid."
        )
    values = cosine(directions, prefix + patch)[prefix:].reshape(grid)
    overlay = Overlay(values, caption, scale="raw", signed=True, format=lambda value: number(value, 0))
    shown = picker_payload(picture, picture_name, grid, chosen, overlay=overlay)
    return shown | {"prefix_names": list(prefix_names)}


def sent_once(directions: np.ndarray) -> bytes:
    """Pack the directions as float16. The browser stores them for all choices."""
    return packed({"embedDim": int(directions.shape[1])}, {"tokens": directions.astype(np.float16).tobytes()})
