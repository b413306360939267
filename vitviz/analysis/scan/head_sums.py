"""Statistics of attention computed during a forward pass, layer by layer, without keeping a matrix of weights.

The values are those of `vitviz.analysis.attention.head_statistics`, which computes them from a trace.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache, partial
from itertools import product

import numpy as np
import torch
from torch import Tensor

from ...model.config import POOL
from ...model.vit import Attention, ViT
from ..attention import patch_distances
from ..attribution.readout_weights import pooled_tokens

# Weights of a block of queries. On the CPU they stay in the processor's cache from the scores to the last sum; a GPU
# needs large blocks.
BLOCK = {"cpu": 2**19}
LARGE_BLOCK = 2**25


class HeadSums:
    """Sums over the attention weights of a batch; functions that a forward pass calls compute them."""

    def __init__(self, model: ViT, grid: tuple[int, int]):
        self.model, self.grid = model, grid
        self._layers: list[Tensor] = []  # [image, head, 2 + prefix]: distance, entropy, weights of each prefix token
        self._queries: Tensor | None = None
        self._buffers: Tensor | None = None

    def means(self) -> np.ndarray:
        """Return means over the patches as queries, float32 [image, layer, head, 2 + prefix].

        They are the attention distance in pixels of the input, the entropy in bits (0 for differential attention), and
        the attention to each prefix token.
        """
        return (torch.stack(self._layers, dim=1) / (self.grid[0] * self.grid[1])).cpu().numpy()

    def functions(self) -> dict[str, Callable[[Tensor], None]]:
        """Return the functions for `vitviz.model.hooks.listen`, by hook point."""
        functions = {}
        for layer in range(self.model.config.depth):
            functions[f"blocks.{layer}.attn.q"] = self._keep
            functions[f"blocks.{layer}.attn.k"] = partial(self._layer, self.model.blocks[layer].attn)
        return functions

    def _keep(self, q: Tensor) -> None:
        self._queries = q

    def _layer(self, attn: Attention, k: Tensor) -> None:
        q, self._queries = self._queries.detach().float(), None
        k, prefix = k.detach().float(), self.model.config.num_prefix_tokens
        bias = attn.bias(self.grid, slice(prefix, None))
        bias = None if bias is None else bias.detach().float()
        distances = _distances(self.grid, self.model.config.patch_size, q.device)
        sums = q.new_zeros(*q.shape[:2], 2 + prefix)
        for images, rows in blocks(q.shape[0], q.shape[1], q.shape[2] - prefix, q.shape[2], q.device.type):
            queries = q[images, :, prefix:][:, :, rows]
            part = sums[images].flatten(0, 1)  # a view
            self._add(part, attn, queries, k[images], None if bias is None else bias[:, rows], distances[rows])
        self._layers.append(sums)

    def _add(self, sums: Tensor, attn: Attention, q: Tensor, k: Tensor, bias: Tensor | None, distances: Tensor) -> None:
        """Add the sums over a block of queries to [image x head, 2 + prefix]."""
        prefix = self.model.config.num_prefix_tokens
        if self.model.config.differential:
            weights = attn.weights_of(q, k, bias).flatten(0, 1)
            among_patches = weights[..., prefix:].abs()
            product = torch.empty_like(among_patches)
        else:
            weights, scores, entropy = self._weigh(attn, q, k, bias)
            among_patches, product = weights[..., prefix:], scores[..., prefix:]
            sums[:, 1] += entropy.sum(dim=-1)
        weighted = torch.mul(among_patches, distances, out=product).sum(dim=-1)
        sums[:, 0] += (weighted / among_patches.sum(dim=-1)).sum(dim=-1)
        sums[:, 2:] += weights[..., :prefix].sum(dim=1)

    def _weigh(self, attn: Attention, q: Tensor, k: Tensor, bias: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """Compute attention weights in reused memory.

        Returns:
            Weights [image x head, query, key], memory of the same shape without meaning, and the entropy of each row in
            bits.
        """
        shape = (q.shape[0] * q.shape[1], q.shape[2], k.shape[2])
        scores, weights = self._memory(shape, q)
        torch.bmm((q * attn.scale).flatten(0, 1), k.flatten(0, 1).mT, out=scores)
        if bias is not None:
            scores += bias.repeat(len(q), 1, 1)
        torch.softmax(scores, dim=-1, out=weights)
        # H = log sum exp(s) - sum w s, without a logarithm of each weight. The largest weight gives the first term: it
        # is exp(largest score - log sum exp(s)).
        log_sum = scores.amax(dim=-1) - weights.amax(dim=-1).log()
        entropy = log_sum - scores.mul_(weights).sum(dim=-1)
        return weights, scores, entropy.clamp_min(0) / np.log(2)

    def _memory(self, shape: tuple[int, int, int], like: Tensor) -> tuple[Tensor, Tensor]:
        size = shape[0] * shape[1] * shape[2]
        if self._buffers is None or self._buffers.shape[1] < size:
            self._buffers = like.new_empty(2, size)
        scores, weights = (buffer[:size].view(shape) for buffer in self._buffers)
        return scores, weights


class PooledAttention:
    """Attention of the tokens that the output is pooled from, in the last layer or the attention pooling.

    The values are those of `vitviz.analysis.attribution.last_attention.last_attention`.

    Attributes:
        map: mean over heads [image, rows, columns]; None until a forward pass has called the functions.
    """

    def __init__(self, model: ViT, grid: tuple[int, int]):
        self.model, self.grid = model, grid
        self.map: np.ndarray | None = None
        self._queries: Tensor | None = None

    def functions(self) -> dict[str, Callable[[Tensor], None]]:
        """Return the functions for `vitviz.model.hooks.listen`, by hook point."""
        if self.model.config.pooling == "attention":
            return {f"{POOL}.k": self._pool}
        last = f"blocks.{self.model.config.depth - 1}.attn"
        return {f"{last}.q": self._keep, f"{last}.k": self._last}

    def _keep(self, q: Tensor) -> None:
        self._queries = q

    def _pool(self, k: Tensor) -> None:
        weights = self.model.attn_pool.score(k.detach().float()).softmax(dim=-1)  # image head 1 key
        skipped = self.model.config.num_prefix_tokens - self.model.attn_pool.first
        self._set(weights[..., 0, skipped:].mean(dim=1))

    def _last(self, k: Tensor) -> None:
        q, self._queries = self._queries.detach().float(), None
        k, attn = k.detach().float(), self.model.blocks[-1].attn
        counts = pooled_tokens(self.model.config, q.shape[-2]).to(q.device)
        pooled = counts.nonzero()[:, 0]
        first, last = int(pooled[0]), int(pooled[-1]) + 1
        row = q.new_zeros(len(q), q.shape[-2])
        for images, rows in blocks(len(q), q.shape[1], last - first, q.shape[-2], q.device.type):
            queries = slice(first + rows.start, first + rows.stop)
            weights = attn.weights_of(q[images, :, queries], k[images], attn.bias(self.grid, queries))
            row[images] += torch.einsum("q,ihqk->ik", counts[queries], weights) / q.shape[1]
        self._set(row[:, self.model.config.num_prefix_tokens :])

    def _set(self, row: Tensor) -> None:
        self.map = row.reshape(-1, *self.grid).cpu().numpy()


def blocks(images: int, heads: int, queries: int, keys: int, device: str) -> Iterator[tuple[slice, slice]]:
    """Yield slices of images and of queries whose attention weights fit into a block; heads stay together."""
    size = BLOCK.get(device, LARGE_BLOCK)
    of_image = heads * queries * keys
    at_once, rows = max(1, size // of_image), max(1, min(queries, size // (heads * keys)))
    steps = product(range(0, images, at_once), range(0, queries, rows))
    for image, row in steps:
        yield slice(image, min(image + at_once, images)), slice(row, min(row + rows, queries))


@lru_cache(maxsize=2)
def _distances(grid: tuple[int, int], patch: int, device: torch.device) -> Tensor:
    """Return the distances of patches, float32 [query patch, key patch], in pixels; cached, must not be changed."""
    return torch.from_numpy(patch_distances(grid, patch)).to(device)
