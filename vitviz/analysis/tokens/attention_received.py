"""How much of a layer's attention some tokens draw to themselves."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from ...errors.arguments import checked_index, typed
from ...trace.trace import Trace


@typed
def received(trace: Trace, layer: int) -> np.ndarray:
    """The share of each head's attention that goes to each token, mean over all queries, float32 [head, token].

    Each row sums to 1, so that even attention gives 1 / tokens. The weights of differential attention have signs and
    count by their size. Makes the layer's matrices one head at a time.

    Raises:
        IndexError: if the layer is out of range.
    """
    shares = []
    for head in range(trace.heads):
        weights = np.abs(trace.attention(layer, head)).sum(axis=0)
        shares.append(weights / max(float(weights.sum()), np.finfo(np.float32).tiny))
    return np.stack(shares).astype(np.float32)


@typed
def attention_share(trace: Trace, layer: int, tokens: Collection[int]) -> np.ndarray:
    """The share of each head's attention that goes to these tokens together, float32 [head], 0 to 1.

    Args:
        trace: what is looked at.
        layer: which layer; the tokens that it reads are those that left the layer before.
        tokens: token indices, prefix tokens first; each counts once.

    Raises:
        IndexError: if the layer or a token is out of range.
    """
    places = sorted({checked_index(token, trace.token_count, "token") for token in tokens})
    return received(trace, layer)[:, places].sum(axis=1)
