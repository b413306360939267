"""Which tokens the output of a model is read from: the rows of attention that explain it."""

import torch
from torch import Tensor

from ...trace.trace import Trace


def reading(trace: Trace) -> Tensor:
    """How much each token counts where the model's output is read, float32 [token]; sums to 1.

    The class token where that is the feature; the mean of what a mean pooling reads; both by halves where both are.
    A model may have a class token and not read it: its row would then explain nothing. Where the pooling has an
    attention of its own, the tokens count by that, averaged over its heads.
    """
    config, tokens = trace.config, trace.token_count
    if config.pooling == "attention":
        return torch.tensor(trace.attention("pool")[:, 0].mean(axis=0))
    counts = torch.zeros(tokens, dtype=torch.float32)
    if config.pooling == "distilled":
        counts[:2] = 1 / 2
    elif config.pooling == "token":
        counts[0] = 1
    else:
        first = 0 if config.pooling == "mean" and config.pool_include_prefix else config.num_prefix_tokens
        counts[first:] = 1 / (tokens - first)
    if config.pooling == "token+mean":
        counts = counts / 2
        counts[0] += 1 / 2
    return counts


def patch_map(tokens: Tensor, trace: Trace) -> Tensor:
    """The patch part of one number a token: [token] as [rows, columns]."""
    return tokens[trace.prefix :].reshape(trace.grid)
