"""Head with the clearest attention for one token, on which the lesson opens."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...errors.arguments import typed
from ...errors.brief import brief
from ...trace.trace import Trace
from .measures import entropy


@brief
@dataclass(frozen=True)
class ClearHead:
    """Head with the clearest attention for a token.

    Attributes:
        layer, head: indices, from 0.
        entropy: entropy of its weights for this token, bits; of their absolute values in differential attention.
        first_layer: index of the first layer of the candidates.
        to_another_patch: whether the strongest key is another patch; False if that holds for no candidate.
    """

    layer: int
    head: int
    entropy: float
    first_layer: int
    to_another_patch: bool


@typed
def clearest_head(trace: Trace, query: int) -> ClearHead:
    """Find the head with the lowest entropy of one token's weights, among the heads of the second half of the layers.

    Heads count only if their strongest key is a patch other than the token itself: heads that attend to the token
    itself or to a prefix token show nothing on the image. If there are none, all heads count.

    Args:
        trace: trace of the image.
        query: index of the token.

    Raises:
        IndexError: if the token does not exist.
    """
    query, first = trace.token_index(query), trace.layers // 2
    rows = np.nan_to_num(np.abs([trace.attention(layer, query=query) for layer in range(first, trace.layers)]))
    entropies, strongest = entropy(rows), rows.argmax(axis=-1)  # [layer, head]
    elsewhere = (strongest >= trace.prefix) & (strongest != query)
    found = bool(elsewhere.any())
    layer, head = np.unravel_index(int(np.where(elsewhere | (not found), entropies, np.inf).argmin()), entropies.shape)
    return ClearHead(first + int(layer), int(head), float(entropies[layer, head]), first, found)
