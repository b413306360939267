"""Task to complete the dot product of a query and a key, and to divide it by sqrt(d)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ...errors.arguments import checked_index, typed
from ...errors.brief import brief
from ...trace.trace import Trace

LEFT = 4  # products that are left to the pupil
FEWEST, MOST = 2, 6  # decimals of the printed numbers
DECIMALS = 1  # of the score to be found


@brief
@dataclass(frozen=True, eq=False)
class DotProduct:
    """Dot product of a query and a key in which the largest products are missing.

    All numbers are those to be printed: the answer follows from them, and agrees with the model's score to one decimal.

    Attributes:
        layer, head, query, key: indices, from 0; prefix tokens come first.
        channels: dimensions of the missing products, from 0.
        q, k: query and key in these dimensions, rounded.
        rest: sum of all other products, rounded.
        bias: relative position bias, rounded; None if the model has none.
        length: number of dimensions d of the dot product; its square root divides it.
        decimals: decimals of the rounded numbers.
        is_half: whether this is the first of the two dot products of differential attention.
        model: the model's score.
    """

    layer: int
    head: int
    query: int
    key: int
    channels: tuple[int, ...]
    q: tuple[float, ...]
    k: tuple[float, ...]
    rest: float
    bias: float | None
    length: int
    decimals: int
    is_half: bool
    model: float

    @property
    def products(self) -> tuple[float, ...]:
        """The missing products."""
        return tuple(q * k for q, k in zip(self.q, self.k, strict=True))

    @property
    def total(self) -> float:
        """Sum of all products."""
        return self.rest + sum(self.products)

    @property
    def score(self) -> float:
        """Score: the sum, divided by sqrt(d), plus the bias if there is one."""
        return self.total / math.sqrt(self.length) + (self.bias or 0.0)


@typed
def dot_product(trace: Trace, layer: int, head: int, query: int) -> DotProduct:
    """Return the dot product of a query and the key of another patch that it attends to.

    This is the patch with the second largest weight, so that it does not tell the answer to `prediction`.

    Args:
        trace: trace of the image.
        layer: layer index, from 0.
        head: head index, from 0.
        query: index of the query token.

    Raises:
        IndexError: if an index is out of range.
    """
    layer, head = checked_index(layer, trace.layers, "layer"), trace.head_index(head)
    query = trace.token_index(query)
    weights = np.abs(trace.attention(layer, head, query)[trace.prefix :])
    if query >= trace.prefix:
        weights[query - trace.prefix] = -1.0  # last, so that it is chosen only if there is no other patch
    key = trace.prefix + int(np.argsort(-weights, kind="stable")[:2][-1 if len(weights) > 2 else 0])
    q, k = trace.queries(layer)[head, query].astype(np.float64), trace.keys(layer)[head, key].astype(np.float64)
    signed = trace.config.differential
    if signed:
        q, k = q[: len(q) // 2], k[: len(k) // 2]
    score = float(np.ravel(trace.scores(layer, head, query, key))[0])
    channels = sorted(np.argsort(-np.abs(q * k), kind="stable")[:LEFT].tolist())
    products = q * k
    rest = float(products.sum() - products[channels].sum())
    bias = score - float(products.sum()) / math.sqrt(len(q)) if trace.config.relative_position_bias else None
    for decimals in range(FEWEST, MOST + 1):
        task = DotProduct(
            layer=layer,
            head=head,
            query=query,
            key=key,
            channels=tuple(channels),
            q=tuple(round(float(q[channel]), decimals) for channel in channels),
            k=tuple(round(float(k[channel]), decimals) for channel in channels),
            rest=round(rest, decimals),
            bias=None if bias is None else round(bias, decimals),
            length=len(q),
            decimals=decimals,
            is_half=signed,
            model=score,
        )
        if f"{task.score:.{DECIMALS}f}" == f"{score:.{DECIMALS}f}":
            break
    return task
