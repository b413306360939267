"""Linear projection of patches, W_LP: its filters, and one channel of one token step by step."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from ...analysis.arithmetic import Normed, numbers, optional_norm
from ...errors import ModelError
from ...errors.arguments import at_least, checked_index, typed
from ...errors.brief import brief
from ...model.precision import as_input
from ...trace.trace import Trace
from ...trace.vision_transformer import VisionTransformer
from ..checks import Check
from .patches import flattened, patch_matrix, patch_pixels


@typed
def projection(model: VisionTransformer) -> tuple[np.ndarray, np.ndarray]:
    """Return the linear map from a patch to its token, x W_LP + b.

    The model stores it as a convolution whose stride equals its kernel size, which applies the same map to each patch.

    Returns:
        W_LP, float32 [P * P * C, D], with rows in the order of `flattened`; and the bias, float32 [D].

    Raises:
        ModelError: if the patches come from a convolutional network.
    """
    if model.config.stem:
        raise ModelError(
            f"The patches of {model.name!r} are features of a convolutional network, not linear in pixels; choose a "
            "model whose patches are pixels."
        )
    convolution = model.patch_embed.proj
    weight = numbers(convolution.weight).transpose(2, 3, 1, 0)  # row column channel D
    bias = np.zeros(model.config.embed_dim, np.float32) if convolution.bias is None else numbers(convolution.bias)
    return weight.reshape(-1, model.config.embed_dim), bias


@typed
def has_bias(model: VisionTransformer) -> bool:
    """Return True if the projection of patches has a bias that is not zero; False for a convolutional network."""
    bias = None if model.config.stem else model.patch_embed.proj.bias
    return bias is not None and bool(numbers(bias).any())


@typed
def filters(model: VisionTransformer) -> np.ndarray:
    """Return the columns of W_LP in the shape of patches, signed float32 [D, P, P, C].

    Raises:
        ModelError: if the patches come from a convolutional network.
    """
    side, channels = model.config.patch_size, model.config.in_chans
    return projection(model)[0].T.reshape(-1, side, side, channels)


@typed
def principal_filters(model: VisionTransformer, count: int = 28) -> tuple[np.ndarray, np.ndarray]:
    """Compute the principal components of the filters (ViT, figure 7 left).

    The mean filter is subtracted first. The sign of a component is arbitrary; here its value with the largest absolute
    value is positive.

    Args:
        model: the model.
        count: maximum number of components, at most D and P * P * C. The paper shows 28.

    Returns:
        Components of unit length, in order of decreasing variance, float32 [count, P, P, C]; and their explained
        variance ratios, float32 [count], which sum to at most 1.

    Raises:
        ModelError: if the patches come from a convolutional network.
    """
    count, patches = at_least(count, 1, "The number of filters"), filters(model)
    flat = patches.reshape(len(patches), -1)
    _, sizes, components = np.linalg.svd(flat - flat.mean(axis=0), full_matrices=False)
    share = sizes**2 / max(float((sizes**2).sum()), np.finfo(np.float32).tiny)
    largest = np.take_along_axis(components, np.abs(components).argmax(axis=1)[:, None], axis=1)
    components = components * np.where(largest < 0, -1, 1)
    return components[:count].reshape(-1, *patches.shape[1:]), share[:count]


@brief
@dataclass(frozen=True, eq=False)
class Projected:
    """One channel of one patch's token, with all intermediate results.

    Attributes:
        patch: patch index, row by row from 0.
        dimension: channel of the token, from 0.
        pixels: normalised pixels of the patch, float32 [P, P, C].
        filter: column of W_LP in the shape of a patch, float32 [P, P, C].
        products: pixels times filter, elementwise, float64 [P, P, C].
        sum: sum of all products.
        bias: bias of this channel.
        total: sum + bias.
        norm: norm of the whole token, which follows in some models; or None.
        result: channel of the token, after the norm if there is one.
        checks: `"total"`, and with a norm `"result"`.
    """

    patch: int
    dimension: int
    pixels: np.ndarray
    filter: np.ndarray
    products: np.ndarray
    sum: float
    bias: float
    total: float
    norm: Normed | None
    result: float
    checks: dict[str, Check]


@typed
def project(trace: Trace, patch: int, dimension: int) -> Projected:
    """Compute one channel of one patch's token: sum of patch times filter, plus bias.

    Args:
        trace: trace of the image. If it has recorded `embed.patches`, no forward pass is needed.
        patch: patch index, row by row from 0.
        dimension: channel of the token, 0 to D - 1.

    Raises:
        IndexError: if the patch or the dimension is out of range.
        ModelError: if the patches come from a convolutional network.
    """
    model = trace.model
    weight, bias = projection(model)
    patch = checked_index(patch, trace.grid[0] * trace.grid[1], "patch")
    dimension = checked_index(dimension, model.config.embed_dim, "dimension")
    pixels = patch_pixels(trace, patch)[1]
    kernel = weight[:, dimension].reshape(pixels.shape)
    products = pixels.astype(np.float64) * kernel
    total = float(products.sum()) + float(bias[dimension])
    token = trace.activation("embed.patches")[patch]
    norm = optional_norm(flattened(pixels).astype(np.float64) @ weight + bias, model.patch_embed.norm)
    label = f"number {dimension + 1} of the token"
    if norm is None:
        checks = {"total": Check(label, total, float(token[dimension]), among=token)}
    else:
        before = _convolved(model, pixels)
        checks = {
            "total": Check(f"{label} before the norm", total, float(before[dimension]), among=before),
            "result": Check(label, float(norm.result[dimension]), float(token[dimension]), among=token),
        }
    return Projected(
        patch=patch,
        dimension=dimension,
        pixels=pixels,
        filter=kernel,
        products=products,
        sum=float(products.sum()),
        bias=float(bias[dimension]),
        total=total,
        norm=norm,
        result=total if norm is None else float(norm.result[dimension]),
        checks=checks,
    )


@typed
def filter_responses(trace: Trace, dimension: int) -> np.ndarray:
    """Compute the dot products of all patches with one filter, x w without the bias, float64 [rows, columns].

    Args:
        trace: trace of the image.
        dimension: filter, the column of W_LP, 0 to D - 1.

    Raises:
        IndexError: if the dimension is out of range.
        ModelError: if the patches come from a convolutional network.
    """
    weight = projection(trace.model)[0]
    dimension = checked_index(dimension, trace.config.embed_dim, "dimension")
    return (patch_matrix(trace).astype(np.float64) @ weight[:, dimension]).reshape(trace.grid)


def _convolved(model: VisionTransformer, pixels: np.ndarray) -> np.ndarray:
    """Apply the model's own convolution to one patch, from [P, P, C] to [D]."""
    image = torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))
    with torch.no_grad():
        return numbers(model.patch_embed.proj(as_input(image[None], model)).flatten())
