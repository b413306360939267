"""Patches at the same place of an image, for models whose grids, input sizes or crops differ."""

from __future__ import annotations

import numpy as np

from ...errors import ArgumentError
from ...errors.arguments import typed
from ...images.geometry import Geometry, Prepared
from ...trace.trace import Trace


@typed
def counterparts(trace_a: Trace, trace_b: Trace) -> np.ndarray:
    """Find the patch of B at the place of each patch of A, for two traces of one image.

    Args:
        trace_a: trace of the image.
        trace_b: trace of the same image, perhaps by another model, at another size or with another crop. If one of the
            traces was made from a tensor, both inputs are taken to show the same part of the image.

    Returns:
        Index of the patch of B that contains the centre of each patch of A, int [patch of A]; -1 if the centre is
        padding or outside of B's input.

    Raises:
        ArgumentError: if the traces are of different images.
    """
    if trace_a.image is None or trace_b.image is None:
        a, b = _whole(trace_a.grid), _whole(trace_b.grid)
    else:
        a, b = trace_a.image.geometry, trace_b.image.geometry
        if not same_original(trace_a.image, trace_b.image):
            raise ArgumentError("The traces are of different images; trace one image with both models.")
    columns, rows = (_at(_centres(a, axis), b, axis) for axis in (0, 1))
    patches = rows[:, None] * trace_b.grid[1] + columns
    return np.where((rows[:, None] < 0) | (columns < 0), -1, patches).ravel()


def same_original(a: Prepared, b: Prepared) -> bool:
    """Return False if two inputs were made from different images."""
    differ = a.fingerprint and b.fingerprint and a.fingerprint != b.fingerprint
    return a.geometry.original == b.geometry.original and not differ


def paired_patches(trace_a: Trace, trace_b: Trace) -> tuple[np.ndarray, np.ndarray]:
    """Return the patches of A and of B at the places of the coarser grid that both inputs show, int [place] each.

    Raises:
        ArgumentError: if the traces are of different images, or their inputs have no place in common.
    """
    swap = np.prod(trace_a.grid) > np.prod(trace_b.grid)
    coarse, fine = (trace_b, trace_a) if swap else (trace_a, trace_b)
    of_fine = counterparts(coarse, fine)
    of_coarse = np.flatnonzero(of_fine >= 0)
    if not len(of_coarse):
        raise ArgumentError("The inputs of the two models show no common part of the image; use the same fit for both.")
    of_fine = of_fine[of_coarse]
    return (of_fine, of_coarse) if swap else (of_coarse, of_fine)


def _whole(grid: tuple[int, int]) -> Geometry:
    rows, columns = grid
    return Geometry((1, 1), (columns, rows), 1, (0, 0, 1, 1), (0, 0, columns, rows))


def _centres(geometry: Geometry, axis: int) -> np.ndarray:
    """Return the centres of columns (axis 0) or rows (axis 1) on the original image; NaN in the padding."""
    inside = (np.arange(geometry.model[axis] // geometry.patch) + 0.5) * geometry.patch
    start, end = geometry.content[axis::2]
    source_start, source_end = geometry.source[axis::2]
    centres = source_start + (inside - start) * (source_end - source_start) / (end - start)
    return np.where((inside >= start) & (inside < end), centres, np.nan)


def _at(points: np.ndarray, geometry: Geometry, axis: int) -> np.ndarray:
    """Return the columns or rows of patches that contain points of the original image, -1 outside of the input."""
    start, end = geometry.content[axis::2]
    source_start, source_end = geometry.source[axis::2]
    inside = start + (points - source_start) * (end - start) / (source_end - source_start)
    known = (inside >= start) & (inside < end)  # False for NaN
    return np.where(known, np.where(known, inside, 0) // geometry.patch, -1).astype(int)
