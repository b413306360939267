"""Worksheets of a class, each about another patch of the same image."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ...analysis.attention import head_statistics
from ...errors.arguments import checked_index, typed, whole
from ...errors.brief import brief
from ...trace.trace import Trace
from ..sequence import SequenceSizes
from .dot_product import DotProduct, dot_product
from .heads import HeadOrder, head_order
from .prediction import Prediction, prediction
from .sizes import other_sizes, own_size

MOST_PUPILS = 40
MOST_PATCHES = 1_000_000
_GOLDEN = (math.sqrt(5) - 1) / 2


@brief
@dataclass(frozen=True, eq=False)
class Worksheet:
    """Tasks of one pupil, with their answers.

    Attributes:
        number: number of the worksheet, from 1.
        patch: patch index, row by row from 0.
        sizes: sizes of the image and of the sequence.
        other: sizes for another patch size; None if no other one divides the image.
        dot: dot product to complete.
        heads: heads to order, without the one of the prediction; None if no two heads differ.
        prediction: prediction of the largest weight; None if there is nothing to choose from.
    """

    number: int
    patch: int
    sizes: SequenceSizes
    other: SequenceSizes | None
    dot: DotProduct
    heads: HeadOrder | None
    prediction: Prediction | None

    @property
    def place(self) -> tuple[int, int]:
        """Row and column of the patch, from 0."""
        return divmod(self.patch, self.sizes.grid[1])


@typed
def chosen_patches(patches: int, first: int, count: int) -> tuple[int, ...]:
    """Return different patches that are spread over the image.

    Args:
        patches: number of patches of the image.
        first: first patch index.
        count: number of patches to choose, at most `patches`.
    """
    patches = whole(patches, 1, MOST_PATCHES, "The number of patches")
    first, count = checked_index(first, patches, "patch"), whole(count, 1, patches, "The number of chosen patches")
    step = next(step for step in range(max(1, round(_GOLDEN * patches)), patches + 1) if math.gcd(step, patches) == 1)
    return tuple((first + place * step) % patches for place in range(count))


@typed
def worksheets(
    trace: Trace, layer: int, head: int, patch: int, count: int = 1, means: np.ndarray | None = None
) -> tuple[Worksheet, ...]:
    """Return worksheets about different patches of the same image.

    Args:
        trace: trace of the image; it is the only forward pass.
        layer: layer index of the dot product and of the prediction, from 0.
        head: head index, from 0.
        patch: patch index of the first worksheet, row by row from 0.
        count: number of worksheets, 1 to 40, at most one for each patch.
        means: mean attention distance of every head, [layer, head]; computed if None.

    Raises:
        IndexError: if an index is out of range.
        ArgumentError: if there cannot be so many worksheets.
    """
    patches = trace.grid[0] * trace.grid[1]
    count = whole(count, 1, min(MOST_PUPILS, patches), "The number of worksheets")
    layer, head = checked_index(layer, trace.layers, "layer"), trace.head_index(head)
    means = head_statistics(trace).distance if means is None else means
    others, sheets = other_sizes(trace), []
    for place, chosen in enumerate(chosen_patches(patches, patch, count)):
        query = trace.prefix + chosen
        sheets.append(
            Worksheet(
                number=place + 1,
                patch=chosen,
                sizes=own_size(trace),
                other=others[place % len(others)] if others else None,
                dot=dot_product(trace, layer, head, query),
                heads=head_order(trace, query, means, exclude=(layer, head)),
                prediction=prediction(trace, layer, head, query),
            )
        )
    return tuple(sheets)
