"""What the attention of a whole model is like: how far it reaches, and how spread out it is."""

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
    """Two numbers for every head of every layer; a pooling is not counted.

    Attributes:
        distance: mean attention distance, float32 [layer, head], pixels of the model's input.
        entropy: mean entropy of the rows, float32 [layer, head], bits; from 0 (one token) to log2(tokens) (all alike).
            None for differential attention: weights that may be negative are no distribution and have no entropy.
    """

    distance: np.ndarray
    entropy: np.ndarray | None


@typed
def head_statistics(trace: Trace) -> HeadStatistics:
    """Mean attention distance and entropy of every head, averaged over the queries that are patches.

    The distance is that of ViT (Dosovitskiy et al. 2021, section 4.5 and appendix D.7, figure 11): how far apart query
    and key patch are, centre to centre, weighted with attention. What goes to prefix tokens, which have no place, is
    left out and the rest is scaled to 1. The entropy is that of the whole row, prefix tokens included. The weights of
    differential attention may be negative; their distance is weighted with their size, whatever the sign.

    Works on one layer's matrices at a time: heads x tokens x tokens float32 numbers of memory.
    """
    apart = torch.from_numpy(patch_distances(trace.grid, trace.config.patch_size))
    distance, entropy = [], []
    for layer in range(trace.layers):
        weights = torch.tensor(trace.attention(layer)[:, trace.prefix :])  # head query key; queries are patches
        among_patches = weights[..., trace.prefix :].abs()
        travelled = torch.einsum("hqk,qk->hq", among_patches, apart)
        distance.append((travelled / among_patches.sum(dim=-1)).mean(dim=-1))
        if not trace.config.differential:
            entropy.append(row_entropy(weights).mean(dim=-1))
    return HeadStatistics(_shared(distance), _shared(entropy) if entropy else None)


def _shared(rows: list[torch.Tensor]) -> np.ndarray:
    array = torch.stack(rows).numpy()
    array.flags.writeable = False  # visitors share it
    return array


@typed
def log_sums(trace: Trace) -> np.ndarray:
    """Log of the sum over all keys of exp(score), float32 [layer, head, query].

    Differential attention has two softmaxes, and so two sums: [layer, head, 2, query]. With them one column of a matrix
    of weights needs no other. Costs one layer's matrices at a time.
    """
    scores = (torch.from_numpy(trace.scores(layer)) for layer in range(trace.layers))
    return np.stack([of_layer.logsumexp(dim=-1).numpy() for of_layer in scores])


@typed
def received_weights(trace: Trace, layer: int, token: int, sums: np.ndarray) -> np.ndarray:
    """The weight that every query gives to one token, float32 [head, query].

    Args:
        trace: what is looked at.
        layer: which layer.
        token: who is looked at.
        sums: `log_sums(trace)`.
    """
    scores = trace.scores(layer, key=token)
    sums = array(sums, "layer, head, ...", "Sums", finite=False)
    if sums.shape != (trace.layers, *scores.shape):
        raise ArgumentError("These sums are of another trace; give log_sums of this one.")
    weights = np.exp(scores - sums[layer])
    if not trace.config.differential:
        return weights
    first, second = weights[:, 0], weights[:, 1]
    return first - (1 - trace.row_sum(layer)) * second


@typed
def row_entropy(weights: torch.Tensor) -> torch.Tensor:
    """Entropy of the last axis, -sum w log2 w, in bits; 0 log 0 counts as 0."""
    return torch.special.entr(weights).sum(dim=-1) / np.log(2)


@typed
def patch_distances(grid: tuple[int, int], patch: int) -> np.ndarray:
    """Distances between the centres of all patches, float32 [patch, patch], pixels of the model's input."""
    grid, patch = checked_grid(grid), at_least(patch, 1, "The side of a patch")
    rows, columns = np.divmod(np.arange(grid[0] * grid[1]), grid[1])
    down, across = (np.subtract.outer(axis, axis) for axis in (rows, columns))
    return (np.hypot(down, across) * patch).astype(np.float32)
