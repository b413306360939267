"""Attention as it is: where the last layer looks."""

import torch
from torch import Tensor

from ...errors.arguments import checked_index, is_whole
from ...model.config import POOL
from ...trace.trace import Trace
from .reading import patch_map, reading


def last_attention(trace: Trace, *, head: int | None = None, layer: int | str = -1) -> Tensor:
    """The attention of the tokens that the output is read from, float32 [rows, columns].

    With a class token as the feature that is its row, as in Caron et al. 2021, "Emerging Properties in Self-Supervised
    Vision Transformers" (DINO), https://arxiv.org/abs/2104.14294, section 4.2. If the model pools by an attention of
    its own, it is that attention; if it pools by the mean, the mean of the rows of all tokens that the mean reads.
    What goes to prefix tokens is left out and the rest is not scaled.

    Args:
        trace: what is explained.
        head: which head; None for their mean.
        layer: which block; `"pool"` for the attention of a pooling. -1 is the model's last attention, which is the
            pooling's if it has one.
    """
    pools = trace.config.pooling == "attention"
    if (isinstance(layer, str) and layer == POOL) or (pools and is_whole(layer) and layer == -1):
        weights = torch.tensor(trace.attention(POOL)[:, 0])  # head key
    else:
        weights = _rows(trace, checked_index(layer, trace.layers, "layer"))
    row = weights.mean(dim=0) if head is None else weights[checked_index(head, len(weights), "head")]
    return patch_map(row, trace)


def _rows(trace: Trace, layer: int) -> Tensor:
    """The rows of every head, averaged over the queries as the output reads them: [head, key]."""
    counts = reading(trace)
    if trace.config.pooling == "token":
        return torch.tensor(trace.attention(layer, query=0))
    return torch.einsum("q,hqk->hk", counts, torch.tensor(trace.attention(layer)))
