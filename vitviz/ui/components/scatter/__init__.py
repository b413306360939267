"""Scatter plot of patch tokens, next to the picture with their patches."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from ....viz.inline import text
from .. import patches
from .._shared import Component
from ..patches import Patch, choices
from ..patches.payload import payload as picker_payload

__all__ = ["payload", "scatter"]

component = Component("scatter", Path(__file__).parent, base=patches.component)


def scatter(
    picture: bytes,
    picture_name: str,
    grid: tuple[int, int],
    chosen: Patch,
    points: np.ndarray,
    colours: np.ndarray,
    axes: str,
    *,
    on_choose: Callable[[int, int], None],
    key: str,
) -> None:
    """Draw one point per patch. Pointing shows the patch, a lasso highlights patches, and a click chooses a patch.

    Args:
        picture: JPEG or PNG of exactly the area of the patches.
        picture_name: alternative text of the picture.
        grid: rows and columns of patches.
        chosen: (row, column), from 0, of the framed patch.
        points: positions of the patches in the plane, float [patch, 2].
        colours: colours of the patches, uint8 [patch, 3].
        axes: one-line description of the plane.
        on_choose: function called with row and column when the user chooses a patch, before the page runs again.
        key: identity of the component in the session.
    """
    data = payload(picture, picture_name, grid, chosen, points, colours, axes)
    component.draw(data, choices(grid, {"query": on_choose}), key=key)


def payload(
    picture: bytes,
    picture_name: str,
    grid: tuple[int, int],
    chosen: Patch,
    points: np.ndarray,
    colours: np.ndarray,
    axes: str,
) -> dict:
    """Return the state of the scatter plot, with coordinates from 0 to 1 and y upwards; see `scatter`.

    Raises:
        ValueError: if the number of points or colours differs from the number of patches.
    """
    count = grid[0] * grid[1]
    if points.shape != (count, 2) or colours.shape != (count, 3):
        raise ValueError(f"{count} patches need as many points and colours, not {points.shape} and {colours.shape}.")
    low, span = points.min(axis=0), np.ptp(points, axis=0)
    places = np.where(span > 0, (points.astype(float) - low) / np.where(span > 0, span, 1), 0.5)
    return picker_payload(picture, picture_name, grid, chosen) | {
        "points": places.round(4).tolist(),
        "colours": text(np.ascontiguousarray(colours, np.uint8).tobytes()),
        "axes": axes,
    }
