"""Comparison of the outputs of shipped models with stored numbers, for `vitviz doctor`."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ..model.precision import plain_arithmetic
from .shipped import ZooEntry, load_shipped

COMPONENTS = 10  # of an output that are stored
TOLERANCE = 1e-3  # relative error; differences between processors are a hundred times smaller


def reference_input(entry: ZooEntry) -> Tensor:
    """Return the input of the comparison: a wave over all pixels, float32 [3, side, side], the same on all machines."""
    side = min(entry.sizes)
    return torch.from_numpy(np.sin(0.01 * np.arange(3 * side * side)).astype(np.float32).reshape(3, side, side))


@plain_arithmetic()
def reference_output(entry: ZooEntry) -> np.ndarray:
    """Load a shipped model and return the first components of its output for the reference input, float32.

    These numbers are stored as `reference` in vitviz/zoo/shipped.py. If the weights of a model are replaced, print the
    new ones with `print(reference_output(SHIPPED[name]).tolist())`.

    Raises:
        ModelError: if the model cannot be loaded.
    """
    return load_shipped(entry).trace(reference_input(entry)).output[:COMPONENTS]


def largest_error(entry: ZooEntry) -> float:
    """Return the largest difference from the stored numbers, relative to the largest of them; NaN if any is NaN.

    Raises:
        ModelError: if the model cannot be loaded.
    """
    stored = np.array(entry.reference)
    return float(np.abs(reference_output(entry) - stored).max() / np.abs(stored).max())
