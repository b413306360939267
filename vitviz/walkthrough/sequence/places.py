"""How tokens know where their patch is: learned positions compared, and rotary ones as angles."""

from __future__ import annotations

import numpy as np

from ...analysis.arithmetic import cosines, numbers
from ...errors import ModelError
from ...errors.arguments import checked_grid, checked_index, typed
from ...model.position_embeddings import Grid, coordinates
from ...trace.vision_transformer import VisionTransformer


@typed
def positions(model: VisionTransformer, grid: Grid) -> np.ndarray:
    """W_pos for a grid of patches, float32 [token, D], prefix tokens first.

    For another grid than the trained one it is resampled, as the model does. Zeros if the model has none.
    """
    return numbers(model.positions(*checked_grid(grid))[0])


@typed
def position_similarity(model: VisionTransformer, grid: Grid, token: int) -> np.ndarray:
    """How alike the learned position of one token is to all others (ViT, figure 7 centre).

    Args:
        model: whose positions.
        grid: rows and columns of patches.
        token: which token, prefix tokens first.

    Returns:
        Cosines, float64 [token], from -1 to 1; the token's own is 1. A position of zeros, as many models have it for
        the tokens before the patches, has cosine 0 to all.

    Raises:
        IndexError: if there is no such token.
        ModelError: if the model has no learned positions.
    """
    learned = _learned(model, grid)
    return cosines(learned, learned[checked_index(token, len(learned), "token")][None])[:, 0]


@typed
def all_position_similarities(model: VisionTransformer, grid: Grid) -> np.ndarray:
    """How alike the learned positions of patches are, all with all (ViT, figure 7 centre).

    Returns:
        Cosines, float64 [patch, rows, columns]: one map for each patch.

    Raises:
        ModelError: if the model has no learned positions.
    """
    patches = _learned(model, grid)[model.config.num_prefix_tokens :]
    return cosines(patches, patches).reshape(-1, *grid)


@typed
def rotary_angles(model: VisionTransformer, grid: Grid, layer: int = 0, head: int = 0) -> np.ndarray:
    """By which angle rotary positions turn each pair of channels of each patch's queries and keys.

    Row and column of the patch, as the model counts them, times the pair's two frequencies (see
    `vitviz.model.config.Rotary`). Many models use the same for all layers and heads.

    Returns:
        Radians, float64 [patch, pair]; pair i is channels 2i and 2i + 1. Prefix tokens are not turned.

    Raises:
        IndexError: if there is no such layer or head.
        ModelError: if the model has no rotary positions.
    """
    config, grid = model.config, checked_grid(grid)
    if model.rope is None:
        raise ModelError(f"{model.name!r} has no rotary positions.")
    layer, head = checked_index(layer, config.depth, "layer"), checked_index(head, config.num_heads, "head")
    frequencies = numbers(model.rope.freqs)
    per_row_and_column = frequencies[layer, head] if config.rope.per_layer else frequencies[0, 0]
    return coordinates(config.rope, grid).numpy().astype(np.float64) @ per_row_and_column


@typed
def rotary_similarity(model: VisionTransformer, grid: Grid, patch: int, layer: int = 0, head: int = 0) -> np.ndarray:
    """How alike the rotary positions of one patch and all others are: the mean over pairs of cos(difference of angles).

    That is the cosine of a query and a key that were the same vector, with all pairs of channels of the same length,
    before they were turned: what rotation alone does to a score. Trained queries and keys use some pairs more than
    others, so this is no prediction of attention.

    Returns:
        float64 [rows, columns], from -1 to 1; the patch's own is 1.

    Raises:
        IndexError: if there is no such patch, layer or head.
        ModelError: if the model has no rotary positions.
    """
    angles = rotary_angles(model, grid, layer, head)
    patch = checked_index(patch, len(angles), "patch")
    return np.cos(angles - angles[patch]).mean(axis=-1).reshape(grid)


def _learned(model: VisionTransformer, grid: Grid) -> np.ndarray:
    if not model.config.position_embedding:
        raise ModelError(f"{model.name!r} has no learned positions.")
    return positions(model, grid)
