"""Share of a layer's attention that tokens receive."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from ...errors.arguments import checked_index, typed
from ...trace.trace import Trace


@typed
def received(trace: Trace, layer: int) -> np.ndarray:
    """Return the mean share of each head's attention that each token receives, float32 [head, token].

    The mean is over all queries. Each row sums to 1, so uniform attention gives 1 / tokens. For differential attention,
    absolute weights are used. Attention matrices are computed one head at a time.

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
    """Return the share of each head's attention that a set of tokens receives in total, float32 [head], 0 to 1.

    Args:
        trace: trace of the image.
        layer: layer index, from 0; its input are the tokens after the previous layer.
        tokens: token indices, prefix tokens first; duplicates count once.

    Raises:
        IndexError: if the layer or a token is out of range.
    """
    indices = sorted({checked_index(token, trace.token_count, "token") for token in tokens})
    return received(trace, layer)[:, indices].sum(axis=1)
