"""Splitting an image into patches, and flattening patches to vectors."""

from __future__ import annotations

import numpy as np

from ...errors.arguments import array, at_least, checked_index, typed
from ...trace.trace import Trace


@typed
def patch_pixels(trace: Trace, patch: int) -> tuple[np.ndarray | None, np.ndarray]:
    """Return the pixels of one patch.

    Args:
        trace: trace of the image.
        patch: patch index, row by row from 0 (its token is `trace.prefix + patch`); negative indices from the end.

    Returns:
        Pixels before normalisation, uint8 [P, P, C], or None if the model was given a tensor; and normalised pixels,
        the model's input, float32 [P, P, C]. Both are read-only.

    Raises:
        IndexError: if the patch is out of range.
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
    """Flatten a patch [P, P, C] to a vector [P * P * C].

    The order is row, column, channel: the first values are red, green and blue of the upper left pixel. The rows of
    W_LP have the same order.
    """
    return array(pixels, "P, P, C", "Pixels", finite=False).reshape(-1)


@typed
def patch_matrix(trace: Trace) -> np.ndarray:
    """Return all patches of the model's input, flattened: float32 [N, P * P * C]."""
    (rows, columns), side = trace.grid, trace.config.patch_size
    pixels = trace.pixels().reshape(-1, rows, side, columns, side)  # C, row of patches, row, column of patches, column
    return pixels.transpose(1, 3, 2, 4, 0).reshape(rows * columns, -1)


@typed
def flat_index(row: int, column: int, channel: int, patch: int, channels: int = 3) -> int:
    """Return the index of a value of a patch in the flattened patch.

    Args:
        row: row of the pixel, from 0.
        column: column of the pixel, from 0.
        channel: channel of the pixel, from 0.
        patch: P, side of a patch in pixels.
        channels: C, number of channels.

    Raises:
        IndexError: if the row, column or channel is out of range.
        ArgumentError: if a size is invalid.
    """
    patch, channels = at_least(patch, 1, "P"), at_least(channels, 1, "C")
    indices = ((row, patch, "row"), (column, patch, "column"), (channel, channels, "channel"))
    row, column, channel = (checked_index(*index) for index in indices)
    return (row * patch + column) * channels + channel


@typed
def unflatten_index(index: int, patch: int, channels: int = 3) -> tuple[int, int, int]:
    """Return row, column and channel of a value of a flattened patch, the inverse of `flat_index`.

    Raises:
        IndexError: if the index is out of range.
        ArgumentError: if a size is invalid.
    """
    patch, channels = at_least(patch, 1, "P"), at_least(channels, 1, "C")
    pixel, channel = divmod(checked_index(index, patch * patch * channels, "index"), channels)
    return *divmod(pixel, patch), channel
