"""Heads that attend to a region of an image, are attended to from outside of it, or attend outside."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from ..errors import ArgumentError
from ..errors.arguments import one_of, shown, typed
from ..errors.brief import brief
from ..trace.trace import Trace
from .ranking import largest

Relation = Literal["within", "into", "out"]
RELATIONS: tuple[Relation, ...] = get_args(Relation)


@brief
@dataclass(frozen=True, eq=False)
class RegionAttention:
    """Attention of all heads to, into or out of a region.

    Attributes:
        values: mean attention weight between the queries and the keys of the relation, relative to uniform attention,
            float32 [layer, head]; 1 for a head that attends to all tokens alike.
        relation: see `region_attention`.
        tokens: tokens of the region, ascending.
    """

    values: np.ndarray
    relation: Relation
    tokens: tuple[int, ...]

    def best(self, count: int = 5) -> list[tuple[int, int, float]]:
        """Return layer, head (both from 0) and value of the heads with the largest values, largest first."""
        return [(*place, float(self.values[place])) for place in largest(self.values, count)]


@typed
def region_attention(trace: Trace, tokens: Sequence[int], relation: Relation = "within") -> RegionAttention:
    """Measure how much more than uniformly each head attends to, into or out of a region of the image.

    With T tokens (prefix tokens included), R the patches of the region and O all other patches, the value of a head is

        T / s * mean of w[q, k] over queries q and keys k,

    where w are its attention weights and s is the sum of a row: 1, except for differential attention. The queries and
    keys are R and R for `"within"`, O and R for `"into"`, and R and O for `"out"`. A head that attends to all tokens
    alike has the value 1 for every region, whatever its area.

    Args:
        trace: trace of an image.
        tokens: patches of the region, as token indices; repeated ones count once.
        relation: `"within"` for attention of the region to itself, `"into"` for attention that it receives from other
            patches, `"out"` for attention from it to other patches.

    Raises:
        ArgumentError: if the region is empty or has a prefix token, the relation is unknown, or there is no patch
            outside of the region for `"into"` and `"out"`.
        IndexError: if there is no such token.
    """
    one_of(relation, RELATIONS, "relation")
    region = np.unique([trace.token_index(token) for token in tokens]).astype(np.int64)
    if not len(region):
        raise ArgumentError("The region is empty; give at least one patch.")
    if region[0] < trace.prefix:
        raise ArgumentError(
            f"Token {shown(int(region[0]))} is not a patch; regions consist of tokens from {trace.prefix}."
        )
    others = np.setdiff1d(np.arange(trace.prefix, trace.token_count), region)
    if relation != "within" and not len(others):
        raise ArgumentError("The region is the whole image, which has no outside; use the relation 'within'.")
    queries, keys = {"within": (region, region), "into": (others, region), "out": (region, others)}[relation]
    values = np.stack(
        [
            trace.attention(layer)[:, queries][:, :, keys].mean(axis=(1, 2)) * trace.token_count / trace.row_sum(layer)
            for layer in range(trace.layers)
        ]
    )
    return RegionAttention(values.astype(np.float32), relation, tuple(region.tolist()))
