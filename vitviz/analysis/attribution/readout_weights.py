"""Weights of the tokens in a model's readout, which select the attention rows that explain the output."""

import torch
from torch import Tensor

from ...model.config import ViTConfig
from ...trace.trace import Trace


def readout_weights(trace: Trace) -> Tensor:
    """Return the weight of each token in the model's readout, float32 [token]; sums to 1.

    Class token pooling gives the class token weight 1, and mean pooling gives equal weights to all pooled tokens; if
    both are used, each gets half. A class token that is not pooled has weight 0: its row would not explain the output.
    Attention pooling uses its own weights, averaged over heads.
    """
    if trace.config.pooling == "attention":
        return torch.tensor(trace.attention("pool")[:, 0].mean(axis=0))
    return pooled_tokens(trace.config, trace.token_count)


def pooled_tokens(config: ViTConfig, tokens: int) -> Tensor:
    """Return the weight of each of so many tokens in a pooling without attention, float32 [token]; sums to 1."""
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
    """Reshape the patch part of one number per token, [token], to [rows, columns]."""
    return tokens[trace.prefix :].reshape(trace.grid)
