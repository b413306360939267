"""Effect of shuffling the patches on the model's feature, with and without position information."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from ...analysis.arithmetic import numbers, unit
from ...errors import ArgumentError
from ...errors.arguments import array, at_least, typed
from ...errors.brief import brief
from ...model.hooks import capture, edit, without_hooks
from ...model.position_embeddings import Grid, Rotation, rotate
from ...model.precision import plain_arithmetic
from ...trace.trace import Trace
from ...trace.vision_transformer import VisionTransformer


@brief
@dataclass(frozen=True, eq=False)
class Features:
    """Pooled features of one image, before the classifier.

    Attributes:
        with_positions: feature of the unchanged model, float32 [channel].
        without_positions: feature without any position information, float32 [channel].
    """

    with_positions: np.ndarray
    without_positions: np.ndarray


@brief
@dataclass(frozen=True, eq=False)
class Shuffled:
    """Features of an image before and after shuffling its patches.

    Without position information, a Vision Transformer processes a set of patches, and shuffling does not change the
    feature.

    Attributes:
        order: permutation, int64 [patch]; position i gets the patch at `order[i]`.
        pixels: shuffled image, uint8 [H, W, C], read-only; None if the model was given a tensor.
        positions: kinds of position information in the model: `"learned"`, `"rotary"`, `"relative"`.
        original: features of the original image.
        permuted: features of the shuffled image.
    """

    order: np.ndarray
    pixels: np.ndarray | None
    positions: tuple[str, ...]
    original: Features
    permuted: Features

    @property
    def with_positions(self) -> float:
        """Cosine similarity of both features of the unchanged model: less than 1."""
        return float(unit(self.original.with_positions) @ unit(self.permuted.with_positions))

    @property
    def without_positions(self) -> float:
        """Cosine similarity of both features without position information: 1, up to rounding."""
        return float(unit(self.original.without_positions) @ unit(self.permuted.without_positions))


@typed
def shuffled(trace: Trace, seed: int = 0, original: Features | None = None) -> Shuffled:
    """Shuffle the patches and compare the features, with four forward passes (or two, given `original`).

    The feature is the input of the classifier: the pooled tokens after the final norm. Patches are shuffled after their
    projection, before position embeddings are added, which is equivalent to shuffling them in the image (except for a
    hybrid, whose convolutions reach beyond a patch). To remove position information, the position embedding is
    subtracted from the sequence (also from prefix tokens), RoPE is undone on queries and keys, and relative position
    biases are subtracted from the scores. The model is not changed.

    Args:
        trace: trace of the image. Its edits are ignored.
        seed: seed of the permutation.
        original: result of `features(trace)`, which is the same for every permutation; computed by default.
    """
    order = np.random.default_rng(at_least(seed, 0, "A seed")).permutation(trace.grid[0] * trace.grid[1])
    return Shuffled(
        order=order,
        pixels=None if trace.image is None else rearranged(trace.image.pixels, order, trace.config.patch_size),
        positions=tuple(_removals(trace.model, trace.grid)),
        original=features(trace) if original is None else original,
        permuted=features(trace, order),
    )


@typed
def features(trace: Trace, order: np.ndarray | None = None) -> Features:
    """Compute the features with and without position information, with two forward passes; see `shuffled`.

    Args:
        trace: trace of the image.
        order: permutation, int [patch]; position i gets the patch at `order[i]`. None keeps the original order.
    """
    count = trace.grid[0] * trace.grid[1]
    shuffle = {}
    if order is not None:
        shuffle = {"embed.patches": partial(_reordered, order=torch.from_numpy(_checked_order(order, count)))}
    removals = _removals(trace.model, trace.grid).values()
    edits = shuffle | {name: change for removal in removals for name, change in removal.items()}
    return Features(_feature(trace, shuffle), _feature(trace, edits))


@typed
def rearranged(pixels: np.ndarray, order: np.ndarray, patch: int) -> np.ndarray:
    """Return the image with permuted patches, [H, W, C], read-only; position i gets the patch at `order[i]`.

    Raises:
        ArgumentError: if patches do not fill the image, or the order is not a permutation of them.
    """
    pixels, patch = array(pixels, "H, W, C", "Pixels", finite=False), at_least(patch, 1, "The side of a patch")
    if any(side % patch for side in pixels.shape[:2]):
        raise ArgumentError(f"Patches of {patch} pixels do not fill this image; crop it to a multiple of that.")
    order = _checked_order(order, pixels.shape[0] // patch * (pixels.shape[1] // patch))
    rows, columns = pixels.shape[0] // patch, pixels.shape[1] // patch
    cut = pixels.reshape(rows, patch, columns, patch, -1).transpose(0, 2, 1, 3, 4).reshape(len(order), patch, patch, -1)
    moved = cut[order].reshape(rows, columns, patch, patch, -1).transpose(0, 2, 1, 3, 4).reshape(pixels.shape)
    moved.flags.writeable = False
    return moved


def _checked_order(order: np.ndarray, count: int) -> np.ndarray:
    order = array(order, "patch", "Indices of an order")
    if order.dtype.kind not in "iu" or not np.array_equal(np.sort(order), np.arange(count)):
        raise ArgumentError(
            f"An order of {count} patches has to contain each index from 0 to {count - 1} exactly once; give a "
            "permutation."
        )
    return order.astype(np.int64)


def _feature(trace: Trace, changes: dict[str, Callable]) -> np.ndarray:
    model, pixels = trace.model, torch.from_numpy(trace.pixels().copy())[None]
    with plain_arithmetic(), without_hooks(), torch.no_grad(), capture("norm") as kept, edit(changes):
        model(pixels)
        return numbers(model.fc_norm(model.attn_pool(kept["norm"])).flatten())


def _removals(model: VisionTransformer, grid: Grid) -> dict[str, dict[str, Callable]]:
    """Return, for each kind of position information in the model, the edits that remove it."""
    removals = {}
    with torch.no_grad():
        if model.config.position_embedding:
            removals["learned"] = {"embed.tokens": partial(_subtracted, bias=model.positions(*grid))}
        if model.rope is not None:
            removals["rotary"] = {
                f"blocks.{layer}.attn.{part}": partial(_rotated_back, rotation=rotation)
                for layer, rotation in enumerate(model.rotations(grid))
                for part in "qk"
            }
        if model.config.relative_position_bias:
            removals["relative"] = {
                f"blocks.{layer}.attn.scores": partial(_subtracted, bias=block.attn.bias(grid))
                for layer, block in enumerate(model.blocks)
            }
    return removals


def _reordered(patches: Tensor, order: Tensor) -> Tensor:
    return patches[:, order]


def _subtracted(x: Tensor, bias: Tensor) -> Tensor:
    return x - bias


def _rotated_back(x: Tensor, rotation: Rotation) -> Tensor:
    cosine, sine = rotation
    return rotate(x, (cosine, -sine))
