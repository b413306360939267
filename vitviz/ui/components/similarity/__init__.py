"""Similarity: the picture, coloured by how alike each patch's token is to that of the patch under the pointer."""

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
    """Draw the picture; pointing at a patch colours all others by their cosine similarity. A click chooses the patch.

    Args:
        picture: JPEG or PNG, exactly what the patches cover.
        picture_name: what it shows, for those who cannot see it.
        grid: rows and columns of patches.
        chosen: (row, column) from 0 of the patch that is compared while none is pointed at.
        directions: `vitviz.tokens.directions` of the layer, float32 [token, D], prefix tokens first.
        prefix_names: what those are called.
        caption: one line that says which layer and which similarity this is.
        on_choose: called with row and column, before the page runs again, when the visitor chooses that patch.
        key: identity of this component in the session.
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
    """All that the component shows but the directions themselves; see `similarity_picker`.

    Raises:
        ValueError: if there is not one direction for each prefix token and each patch.
    """
    prefix, patch = len(prefix_names), chosen[0] * grid[1] + chosen[1]
    if len(directions) != prefix + grid[0] * grid[1]:
        raise ValueError(f"{len(directions)} tokens are not {prefix} and one for each patch of {grid[0]} x {grid[1]}.")
    values = cosine(directions, prefix + patch)[prefix:].reshape(grid)
    overlay = Overlay(values, caption, scale="raw", signed=True, say=lambda value: number(value, 0))
    shown = picker_payload(picture, picture_name, grid, chosen, overlay=overlay)
    return shown | {"prefix_names": list(prefix_names)}


def sent_once(directions: np.ndarray) -> bytes:
    """The directions as float16, which the browser holds for all choices."""
    return packed({"embedDim": int(directions.shape[1])}, {"tokens": directions.astype(np.float16).tobytes()})
