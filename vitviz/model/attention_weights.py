"""Attention weights without a graph for gradients, in one matrix instead of two."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor


def attention_weights(q: Tensor, k: Tensor, scale: float, bias: Tensor | None = None) -> Tensor:
    """Compute softmax(scale q k^T + bias) for inputs that need no gradients.

    The scores are normalised in place, because new memory for large matrices takes about as long as the products.
    Gradients would need scores and weights as separate tensors.

    Args:
        q: queries [..., head, query, channel].
        k: keys [..., head, key, channel].
        scale: factor of the scores.
        bias: relative position bias [head, query, key].

    Returns:
        Weights [..., head, query, key]; rows sum to 1.
    """
    weights = _empty((*q.shape[:-1], k.shape[-2]), q)
    torch.bmm((q * scale).flatten(0, -3), k.flatten(0, -3).mT, out=weights.flatten(0, -3))
    if bias is not None:
        weights += bias.to(weights)
    return torch.softmax(weights, dim=-1, out=weights)


def halves(x: Tensor) -> Tensor:
    """Split the channels of [..., head, token, channel] into [..., head, 2, token, channel / 2]."""
    return x.unflatten(-1, (2, -1)).transpose(-2, -3)


def _empty(shape: Sequence[int], like: Tensor) -> Tensor:
    """Create a tensor without values. Where possible its memory is numpy's, which asks the system for large pages."""
    if like.dtype is torch.float32 and like.device.type == "cpu":
        return torch.from_numpy(np.empty(shape, np.float32))
    return like.new_empty(shape)
