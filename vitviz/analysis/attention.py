"""Statistics of attention: mean attention distance, attention entropy and attention received by a token."""

from dataclasses import dataclass

import numpy as np
import torch

from ..errors import ArgumentError
from ..errors.arguments import array, at_least, checked_grid, typed
from ..errors.brief import brief
from ..trace.trace import Trace


@brief
@dataclass(frozen=True)
class HeadStatistics:
    """Statistics of every head of every layer; attention pooling is not included.

    Attributes:
        distance: mean attention distance, float32 [layer, head], in pixels of the model's input.
        entropy: mean attention entropy, float32 [layer, head], in bits, from 0 (one token) to log2(tokens) (uniform).
            None for differential attention, whose weights may be negative and have no entropy.
    """

    distance: np.ndarray
    entropy: np.ndarray | None


@brief
@dataclass(frozen=True)
class RowStatistics:
    """Statistics of every row of every attention matrix; attention pooling is not included.

    Attributes:
        distance: mean attention distance, float32 [layer, head, query patch], in pixels of the model's input.
        entropy: attention entropy, float32 [layer, head, query], in bits; None for differential attention.
    """

    distance: np.ndarray
    entropy: np.ndarray | None


@typed
def head_statistics(trace: Trace) -> HeadStatistics:
    """Compute mean attention distance and attention entropy of every head, averaged over the query patches.

    One layer is processed at a time, as in `row_statistics`.
    """
    rows = row_statistics(trace)
    entropy = None if rows.entropy is None else rows.entropy[..., trace.prefix :].mean(axis=-1)
    return HeadStatistics(_read_only(rows.distance.mean(axis=-1)), None if entropy is None else _read_only(entropy))


@typed
def row_statistics(trace: Trace) -> RowStatistics:
    """Compute mean attention distance and attention entropy of every query of every head.

    Attention distance follows ViT (Dosovitskiy et al. 2021, section 4.5 and appendix D.7, figure 11): the distance
    between the centres of query and key patch, weighted by attention. Attention to prefix tokens, which have no
    position, is left out and the rest is rescaled to sum to 1. Attention entropy includes prefix tokens. For
    differential attention, whose weights may be negative, distances are weighted by absolute values.

    One layer is processed at a time, which takes heads x tokens x tokens float32 values of memory.
    """
    distances = torch.from_numpy(patch_distances(trace.grid, trace.config.patch_size))
    distance, entropy = [], []
    for layer in range(trace.layers):
        weights = torch.tensor(trace.attention(layer))  # head query key
        among_patches = weights[:, trace.prefix :, trace.prefix :].abs()
        weighted = torch.einsum("hqk,qk->hq", among_patches, distances)
        distance.append(weighted / among_patches.sum(dim=-1))
        if not trace.config.differential:
            entropy.append(row_entropy(weights))
    rows = [_read_only(torch.stack(values).numpy()) if values else None for values in (distance, entropy)]
    return RowStatistics(*rows)


def _read_only(values: np.ndarray) -> np.ndarray:
    values.flags.writeable = False  # shared between users
    return values


@typed
def log_sums(trace: Trace) -> np.ndarray:
    """Compute log-sum-exp of the scores over all keys, float32 [layer, head, query].

    Differential attention has two softmaxes: [layer, head, 2, query]. Given these values, a column of an attention
    matrix can be computed alone. One layer is processed at a time.
    """
    scores = (torch.from_numpy(trace.scores(layer)) for layer in range(trace.layers))
    return np.stack([of_layer.logsumexp(dim=-1).numpy() for of_layer in scores])


@typed
def received_weights(trace: Trace, layer: int, token: int, sums: np.ndarray) -> np.ndarray:
    """Return the attention weights of all queries to one key token, float32 [head, query].

    Args:
        trace: trace of the image.
        layer: layer index, from 0.
        token: index of the key token.
        sums: result of `log_sums(trace)`.
    """
    scores = trace.scores(layer, key=token)
    sums = array(sums, "layer, head, ...", "Sums", finite=False)
    if sums.shape != (trace.layers, *scores.shape):
        raise ArgumentError("These sums belong to another trace; give log_sums of this one.")
    weights = np.exp(scores - sums[layer])
    if not trace.config.differential:
        return weights
    first, second = weights[:, 0], weights[:, 1]
    return first - (1 - trace.row_sum(layer)) * second


@typed
def row_entropy(weights: torch.Tensor) -> torch.Tensor:
    """Compute the entropy over the last axis, -sum w log2 w, in bits, with 0 log 0 = 0."""
    return torch.special.entr(weights).sum(dim=-1) / np.log(2)


@typed
def patch_distances(grid: tuple[int, int], patch: int) -> np.ndarray:
    """Return the distances between the centres of all patches, float32 [patch, patch], in pixels of the input."""
    grid, patch = checked_grid(grid), at_least(patch, 1, "The side of a patch")
    rows, columns = np.divmod(np.arange(grid[0] * grid[1]), grid[1])
    down, across = (np.subtract.outer(axis, axis) for axis in (rows, columns))
    return (np.hypot(down, across) * patch).astype(np.float32)
