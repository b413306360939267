"""Task to predict which token gets the largest attention weight, and to observe it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...errors.arguments import checked_index, typed
from ...errors.brief import brief
from ...notation.marks import percent
from ...trace.trace import Trace

OPTIONS = 4


@brief
@dataclass(frozen=True, eq=False)
class Prediction:
    """Tokens, one of which gets the largest attention weight of all tokens.

    Attributes:
        layer, head, query: indices, from 0.
        options: token indices, in the order to be printed.
        weights: their attention weights.
        answer: position of the token with the largest weight in `options`.
    """

    layer: int
    head: int
    query: int
    options: tuple[int, ...]
    weights: tuple[float, ...]
    answer: int


@typed
def prediction(trace: Trace, layer: int, head: int, query: int) -> Prediction | None:
    """Choose tokens to predict from: the right one, the patch itself, a prefix token, a neighbour, and others.

    Args:
        trace: trace of the image.
        layer: layer index, from 0.
        head: head index, from 0.
        query: index of the query token.

    Returns:
        The options, of which only the answer has its weight as printed; None if there is no other option.

    Raises:
        IndexError: if an index is out of range.
    """
    layer, head = checked_index(layer, trace.layers, "layer"), trace.head_index(head)
    query = trace.token_index(query)
    weights, random = trace.attention(layer, head, query), np.random.default_rng(query)
    top = int(np.argmax(weights))
    candidates = [top, query, *([0] if trace.prefix else []), *_neighbours(trace, query)[:1]]
    others = random.permutation(np.arange(trace.prefix, trace.token_count)).tolist()
    shown = [percent(float(weight)) for weight in weights]
    different = [one for one in dict.fromkeys([*candidates, *others]) if one == top or shown[one] != shown[top]]
    if len(different) < 2:
        return None
    options = random.permutation(different[:OPTIONS]).tolist()
    return Prediction(
        layer, head, query, tuple(options), tuple(float(weights[token]) for token in options), options.index(top)
    )


def _neighbours(trace: Trace, query: int) -> list[int]:
    """Return the tokens of the patches beside a patch."""
    column = (query - trace.prefix) % trace.grid[1]
    return [query + step for step in (1, -1) if query >= trace.prefix and 0 <= column + step < trace.grid[1]]
