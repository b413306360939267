"""Cutting the image into patches, and patches into vectors."""

from __future__ import annotations

import numpy as np

from ...errors.arguments import array, at_least, checked_index, typed
from ...trace.trace import Trace


@typed
def patch_pixels(trace: Trace, patch: int) -> tuple[np.ndarray | None, np.ndarray]:
    """The pixels of one patch.

    Args:
        trace: whose input.
        patch: which patch, row by row from 0 (so the token `trace.prefix + patch`); negative ones from the end.

    Returns:
        The pixels as people see them, uint8 [P, P, C], or None if the model was given a tensor; and as the model does,
        normalised, float32 [P, P, C]. Both are row, column, channel, and read-only.

    Raises:
        IndexError: if there is no such patch.
    """
    raw = None if trace.image is None else _cut(trace.image.pixels, trace, patch)
    return raw, _cut(trace.pixels().transpose(1, 2, 0), trace, patch)


def _cut(pixels: np.ndarray, trace: Trace, patch: int) -> np.ndarray:
    side, columns = trace.config.patch_size, trace.grid[1]
    row, column = divmod(checked_index(patch, trace.grid[0] * columns, "patch"), columns)
    cut = pixels[row * side : (row + 1) * side, column * side : (column + 1) * side]
    cut.flags.writeable = False
    return cut


@typed
def flattened(pixels: np.ndarray) -> np.ndarray:
    """A patch [P, P, C] as one vector [P * P * C].

    Row by row, in a row pixel by pixel from the left, of each pixel all channels: the first numbers are red, green and
    blue of the pixel in the upper left corner. (Rows of W_LP are in this order too; any order would do.)
    """
    return array(pixels, "P, P, C", "Pixels", finite=False).reshape(-1)


@typed
def patch_matrix(trace: Trace) -> np.ndarray:
    """All patches as the model sees them, each flattened: float32 [N, P * P * C]."""
    (rows, columns), side = trace.grid, trace.config.patch_size
    pixels = trace.pixels().reshape(
        -1, rows, side, columns, side
    )  # channel, row of patches, row, column of them, column
    return pixels.transpose(1, 3, 2, 4, 0).reshape(rows * columns, -1)


@typed
def index_of(row: int, column: int, channel: int, patch: int, channels: int = 3) -> int:
    """Where a number of a patch is in the patch's vector.

    Args:
        row: row of the pixel, from 0.
        column: its column, from 0.
        channel: which of its channels, from 0.
        patch: P, side of a patch in pixels.
        channels: C, channels of a pixel.

    Raises:
        IndexError: if the patch has no such number.
        ArgumentError: if a size is not possible.
    """
    patch, channels = at_least(patch, 1, "P"), at_least(channels, 1, "C")
    places = ((row, patch, "row"), (column, patch, "column"), (channel, channels, "channel"))
    row, column, channel = (checked_index(*place) for place in places)
    return (row * patch + column) * channels + channel


@typed
def place_of(index: int, patch: int, channels: int = 3) -> tuple[int, int, int]:
    """Row, column and channel of a number of a patch's vector: the way back from `index_of`.

    Raises:
        IndexError: if the vector has no such number.
        ArgumentError: if a size is not possible.
    """
    patch, channels = at_least(patch, 1, "P"), at_least(channels, 1, "C")
    pixel, channel = divmod(checked_index(index, patch * patch * channels, "index"), channels)
    return *divmod(pixel, patch), channel
