"""Ranking of the parts of a model, such as heads, by a value of each."""

from __future__ import annotations

import numpy as np


def largest(values: np.ndarray, count: int | None = None) -> list[tuple[int, ...]]:
    """Return the indices of the largest values, largest first; of equal values, the first one comes first.

    Args:
        values: values of any shape, such as [layer, head]; NaN comes last.
        count: maximum number of indices; None for all.
    """
    order = np.argsort(-values, axis=None, kind="stable")[:count]
    return [tuple(map(int, place)) for place in zip(*np.unravel_index(order, values.shape), strict=True)]
