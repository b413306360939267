"""Position embeddings and their similarities, the rotation angles of RoPE, and relative position biases."""

from __future__ import annotations

import numpy as np

from ...analysis.arithmetic import cosines, numbers
from ...errors import ModelError
from ...errors.arguments import checked_grid, checked_index, typed
from ...model.position_embeddings import Grid, coordinates
from ...trace.vision_transformer import VisionTransformer


@typed
def position_embedding(model: VisionTransformer, grid: Grid) -> np.ndarray:
    """Return W_pos for a grid of patches, float32 [token, D], prefix tokens first.

    It is resampled, as in the model, unless the grid is that of training. Zeros if the model has no position embedding.
    """
    return numbers(model.positions(*checked_grid(grid))[0])


@typed
def position_similarity(model: VisionTransformer, grid: Grid, token: int) -> np.ndarray:
    """Compare the position embedding of one token with those of all tokens (ViT, figure 7 centre).

    Args:
        model: the model.
        grid: rows and columns of patches.
        token: token index, prefix tokens first.

    Returns:
        Cosine similarities, float64 [token], from -1 to 1; 1 for the token itself. Zero vectors, which many models have
        for prefix tokens, have similarity 0 to all.

    Raises:
        IndexError: if the token is out of range.
        ModelError: if the model has no position embedding.
    """
    learned = _learned(model, grid)
    return cosines(learned, learned[checked_index(token, len(learned), "token")][None])[:, 0]


@typed
def all_position_similarities(model: VisionTransformer, grid: Grid) -> np.ndarray:
    """Compare the position embeddings of all pairs of patches (ViT, figure 7 centre).

    Returns:
        Cosine similarities, float64 [patch, rows, columns]: one map per patch.

    Raises:
        ModelError: if the model has no position embedding.
    """
    patches = _learned(model, grid)[model.config.num_prefix_tokens :]
    return cosines(patches, patches).reshape(-1, *grid)


@typed
def rotary_angles(model: VisionTransformer, grid: Grid, layer: int = 0, head: int = 0) -> np.ndarray:
    """Return the angles by which RoPE rotates each pair of channels of each patch's queries and keys.

    An angle is the sum of the patch's row and column coordinates, each times a frequency of the pair (see
    `vitviz.model.config.RoPE`). Many models use the same frequencies for all layers and heads.

    Returns:
        Radians, float64 [patch, pair]; pair i is channels 2i and 2i + 1. Prefix tokens are not rotated.

    Raises:
        IndexError: if the layer or the head is out of range.
        ModelError: if the model does not use RoPE.
    """
    config, grid = model.config, checked_grid(grid)
    if model.rope is None:
        raise ModelError(f"{model.name!r} does not use RoPE; choose a model with rotary position embeddings.")
    layer, head = checked_index(layer, config.depth, "layer"), checked_index(head, config.num_heads, "head")
    frequencies = numbers(model.rope.freqs)
    per_row_and_column = frequencies[layer, head] if config.rope.per_layer else frequencies[0, 0]
    return coordinates(config.rope, grid).numpy().astype(np.float64) @ per_row_and_column


@typed
def rotary_similarity(model: VisionTransformer, grid: Grid, patch: int, layer: int = 0, head: int = 0) -> np.ndarray:
    """Compare the rotations of one patch and all others: mean over pairs of cos(difference of angles).

    This is the cosine similarity between a query and a key that were equal before rotation, with the same norm for all
    pairs of channels: the effect of RoPE alone on a score. Trained queries and keys weight the pairs differently, so it
    does not predict attention.

    Returns:
        float64 [rows, columns], from -1 to 1; 1 for the patch itself.

    Raises:
        IndexError: if the patch, the layer or the head is out of range.
        ModelError: if the model does not use RoPE.
    """
    angles = rotary_angles(model, grid, layer, head)
    patch = checked_index(patch, len(angles), "patch")
    return np.cos(angles - angles[patch]).mean(axis=-1).reshape(grid)


@typed
def relative_bias(model: VisionTransformer, grid: Grid, token: int, layer: int = 0, head: int = 0) -> np.ndarray:
    """Return the relative position biases that a head adds to the scores of one query, one for each patch as key.

    A bias belongs to the offset from query to key. Opposite offsets have different biases: the direction matters, not
    only the distance.

    Args:
        model: the model.
        grid: rows and columns of patches.
        token: index of the query, prefix tokens first.
        layer: layer, from 0.
        head: head, from 0.

    Returns:
        float32 [rows, columns].

    Raises:
        IndexError: if the token, the layer or the head is out of range.
        ModelError: if the model has no relative position bias.
    """
    config, grid = model.config, checked_grid(grid)
    if not config.relative_position_bias:
        raise ModelError(f"{model.name!r} has no relative position bias; choose a model with one.")
    layer, head = checked_index(layer, config.depth, "layer"), checked_index(head, config.num_heads, "head")
    token = checked_index(token, config.num_prefix_tokens + grid[0] * grid[1], "token")
    bias = numbers(model.blocks[layer].attn.bias(grid, slice(token, token + 1)))  # head query key
    return bias[head, 0, config.num_prefix_tokens :].reshape(grid)


def _learned(model: VisionTransformer, grid: Grid) -> np.ndarray:
    if not model.config.position_embedding:
        raise ModelError(f"{model.name!r} has no position embedding; choose a model with a learned one.")
    return position_embedding(model, grid)
