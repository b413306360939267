"""Attention weights without a graph for gradients, with fewer passes over memory than two separate steps."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

BLOCK = 2**19  # numbers per block of scores: 2 MB, which the caches of most processors hold


def attention_weights(q: Tensor, k: Tensor, scale: float, bias: Tensor | None = None) -> Tensor:
    """Compute softmax(scale q k^T + bias) for inputs that need no gradients.

    The scores of a few heads at a time are computed in the result and normalised there in place, while they are in the
    processor's cache. Gradients need the scores and weights as separate tensors, so this function computes none.

    Args:
        q: queries [..., head, query, channel].
        k: keys [..., head, key, channel].
        scale: factor of the scores.
        bias: relative position bias [head, query, key].

    Returns:
        Weights [..., head, query, key]; rows sum to 1.
    """
    weights = _empty((*q.shape[:-1], k.shape[-2]), q)
    matrices, q, k = weights.flatten(0, -3), (q * scale).flatten(0, -3), k.flatten(0, -3).mT
    at_once = len(matrices) if bias is not None else max(1, BLOCK // matrices[0].numel())
    for first in range(0, len(matrices), at_once):
        some = slice(first, first + at_once)
        block = torch.bmm(q[some], k[some], out=matrices[some])
        if bias is not None:
            weights += bias
        torch.softmax(block, dim=-1, out=block)
    return weights


def _empty(shape: Sequence[int], like: Tensor) -> Tensor:
    """Create a tensor without values. Where possible its memory is numpy's, which asks the system for large pages."""
    if like.dtype is torch.float32 and like.device.type == "cpu":
        return torch.from_numpy(np.empty(shape, np.float32))
    return like.new_empty(shape)
