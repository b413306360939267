"""The tokens as points on a plane, beside the picture whose patches they are."""

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
    """Draw one point a patch. Pointing shows the patch; a line around points lights up their patches; a click chooses.

    Args:
        picture: JPEG or PNG, exactly what the patches cover.
        picture_name: what it shows, for those who cannot see it.
        grid: rows and columns of patches.
        chosen: (row, column) from 0 of the framed patch.
        points: where the patches are on the plane, float [patch, 2].
        colours: of the patches, uint8 [patch, 3].
        axes: one line that says what the plane shows.
        on_choose: called with row and column, before the page runs again, when the visitor chooses that patch.
        key: identity of this component in the session.
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
    """Everything that the scatter shows: points from 0 to 1, y upwards; see `scatter`.

    Raises:
        ValueError: if there is not one point, and one colour, for each patch.
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
