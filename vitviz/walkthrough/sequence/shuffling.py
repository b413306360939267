"""Why positions matter: what the model says of an image whose patches are shuffled, with and without positions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from ...analysis.arithmetic import unit
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
    """What the model makes of one image, before its classifier.

    Attributes:
        trained: with positions as trained, float32 [channel].
        placeless: without any positions.
    """

    trained: np.ndarray
    placeless: np.ndarray


@brief
@dataclass(frozen=True, eq=False)
class Shuffled:
    """How far the model's feature moves when the patches are shuffled.

    Without positions a Vision Transformer sees a set of patches, and the same set always gives the same feature.

    Attributes:
        order: int64 [patch]; place i shows the patch that was at `order[i]`.
        pixels: the shuffled image, uint8 [H, W, C], read-only; None if the model was given a tensor.
        positions: which kinds of positions the model has: `"learned"`, `"rotary"`, `"relative"`.
        still: features of the image as it is.
        moved: features of the image with its patches shuffled.
    """

    order: np.ndarray
    pixels: np.ndarray | None
    positions: tuple[str, ...]
    still: Features
    moved: Features

    @property
    def with_positions(self) -> float:
        """Cosine of the two features, positions as trained: less than 1."""
        return float(unit(self.still.trained) @ unit(self.moved.trained))

    @property
    def without_positions(self) -> float:
        """Cosine of the two features without any positions: 1, up to rounding."""
        return float(unit(self.still.placeless) @ unit(self.moved.placeless))


@typed
def shuffled(trace: Trace, seed: int = 0, still: Features | None = None) -> Shuffled:
    """Shuffle the patches and see how far the feature moves, by four real forward passes (or two, with `still`).

    The feature is what the classifier reads (or would read): the class token after the final norm, or what the model
    pools. Patches are shuffled right after their projection, before positions are added, which is the same as
    shuffling them in the image (but for a hybrid, whose network has already looked beyond each patch). Learned
    positions (those of prefix tokens too) are taken away from the sequence, the rotations of queries and keys are
    turned back, relative positions are taken away from the scores. Nothing on the model changes.

    Args:
        trace: which image and model. An edit that it was made under plays no role here.
        seed: which order; the same seed gives the same order.
        still: `features(trace)`, if it is at hand: it is the same for every order.
    """
    order = np.random.default_rng(at_least(seed, 0, "A seed")).permutation(trace.grid[0] * trace.grid[1])
    return Shuffled(
        order=order,
        pixels=None if trace.image is None else rearranged(trace.image.pixels, order, trace.config.patch_size),
        positions=tuple(_removals(trace.model, trace.grid)),
        still=features(trace) if still is None else still,
        moved=features(trace, order),
    )


@typed
def features(trace: Trace, order: np.ndarray | None = None) -> Features:
    """The model's feature with positions as trained and without any, by two real forward passes; see `shuffled`.

    Args:
        trace: which image and model.
        order: place i gets the patch from `order[i]`, int [patch]; None: patches stay where they are.
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
    """An image whose place i shows the patch that was at `order[i]`, [H, W, C]; read-only.

    Raises:
        ArgumentError: if these are no such pixels, or the order is not one of the patches.
    """
    pixels, patch = array(pixels, "H, W, C", "Pixels", finite=False), at_least(patch, 1, "The side of a patch")
    if any(side % patch for side in pixels.shape[:2]):
        raise ArgumentError(f"Patches of {patch} pixels do not fill this image; cut it to a multiple of that.")
    order = _checked_order(order, pixels.shape[0] // patch * (pixels.shape[1] // patch))
    rows, columns = pixels.shape[0] // patch, pixels.shape[1] // patch
    cut = pixels.reshape(rows, patch, columns, patch, -1).transpose(0, 2, 1, 3, 4).reshape(len(order), patch, patch, -1)
    moved = cut[order].reshape(rows, columns, patch, patch, -1).transpose(0, 2, 1, 3, 4).reshape(pixels.shape)
    moved.flags.writeable = False
    return moved


def _checked_order(order: np.ndarray, count: int) -> np.ndarray:
    order = array(order, "patch", "Places of an order")
    if order.dtype.kind not in "iu" or not np.array_equal(np.sort(order), np.arange(count)):
        raise ArgumentError(f"An order of {count} patches has each number from 0 to {count - 1} once; this has not.")
    return order.astype(np.int64)


def _feature(trace: Trace, changes: dict[str, Callable]) -> np.ndarray:
    model, pixels = trace.model, torch.from_numpy(trace.pixels().copy())[None]
    with plain_arithmetic(), without_hooks(), torch.no_grad(), capture("norm") as kept, edit(changes):
        model(pixels)
        return model.fc_norm(model.attn_pool(kept["norm"])).flatten().numpy()


def _removals(model: VisionTransformer, grid: Grid) -> dict[str, dict[str, Callable]]:
    """For each kind of positions that the model has, the edits that undo it."""
    removals = {}
    with torch.no_grad():
        if model.config.position_embedding:
            removals["learned"] = {"embed.tokens": partial(_less, what=model.positions(*grid))}
        if model.rope is not None:
            removals["rotary"] = {
                f"blocks.{layer}.attn.{part}": partial(_turned_back, rotation=rotation)
                for layer, rotation in enumerate(model.rotations(grid))
                for part in "qk"
            }
        if model.config.relative_position_bias:
            removals["relative"] = {
                f"blocks.{layer}.attn.scores": partial(_less, what=block.attn.bias(grid))
                for layer, block in enumerate(model.blocks)
            }
    return removals


def _reordered(patches: Tensor, order: Tensor) -> Tensor:
    return patches[:, order]


def _less(x: Tensor, what: Tensor) -> Tensor:
    return x - what


def _turned_back(x: Tensor, rotation: Rotation) -> Tensor:
    cosine, sine = rotation
    return rotate(x, (cosine, -sine))
