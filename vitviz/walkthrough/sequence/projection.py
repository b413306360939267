"""The linear projection of patches, W_LP: its filters, and one number of one token by hand."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from ...analysis.arithmetic import Normed, normed_if, numbers
from ...errors import ModelError
from ...errors.arguments import at_least, checked_index, typed
from ...errors.brief import brief
from ...trace.trace import Trace
from ...trace.vision_transformer import VisionTransformer
from ..checks import Check
from .patches import flattened, patch_pixels


@typed
def projection(model: VisionTransformer) -> tuple[np.ndarray, np.ndarray]:
    """The linear map from a patch to its token: x W_LP + b.

    The model stores it as a convolution whose stride is its kernel, which is the same linear map for each patch.

    Returns:
        W_LP, float32 [P * P * C, D], its rows in the order of `flattened`; and the bias, float32 [D].

    Raises:
        ModelError: if a convolutional network stands before the patches.
    """
    if model.config.stem:
        raise ModelError(
            f"The patches of {model.name!r} are features of a convolutional network, which no single matrix projects; "
            "choose a model whose patches are pixels."
        )
    convolution = model.patch_embed.proj
    weight = numbers(convolution.weight).transpose(2, 3, 1, 0)  # row column channel width
    bias = np.zeros(model.config.embed_dim, np.float32) if convolution.bias is None else numbers(convolution.bias)
    return weight.reshape(-1, model.config.embed_dim), bias


@typed
def filters(model: VisionTransformer) -> np.ndarray:
    """The columns of W_LP as small pictures, float32 [D, P, P, C] with both signs.

    Raises:
        ModelError: if a convolutional network stands before the patches.
    """
    side, channels = model.config.patch_size, model.config.in_chans
    return projection(model)[0].T.reshape(-1, side, side, channels)


@typed
def principal_filters(model: VisionTransformer, count: int = 28) -> tuple[np.ndarray, np.ndarray]:
    """The pictures that the filters are mostly made of: their principal components (ViT, figure 7 left).

    As usual, the mean filter is taken away first: components say in what the filters differ. The sign of a component
    means nothing; here its largest number in size is positive.

    Args:
        model: whose filters.
        count: how many to give at most; there are no more than filters, or numbers in a filter. The paper shows 28.

    Returns:
        The components, the most important first, float32 [count, P, P, C], each of length 1; and which share of the
        filters' variance each explains, float32 [count], which sums to at most 1.

    Raises:
        ModelError: if a convolutional network stands before the patches.
    """
    count, pictures = at_least(count, 1, "The number of filters"), filters(model)
    flat = pictures.reshape(len(pictures), -1)
    _, sizes, components = np.linalg.svd(flat - flat.mean(axis=0), full_matrices=False)
    share = sizes**2 / max(float((sizes**2).sum()), np.finfo(np.float32).tiny)
    largest = np.take_along_axis(components, np.abs(components).argmax(axis=1)[:, None], axis=1)
    components = components * np.where(largest < 0, -1, 1)
    return components[:count].reshape(-1, *pictures.shape[1:]), share[:count]


@brief
@dataclass(frozen=True, eq=False)
class Projected:
    """One number of one patch's token, with all that it is made of.

    Attributes:
        patch: which patch, row by row from 0.
        dimension: which number of the token, from 0.
        pixels: the patch as the model sees it, float32 [P, P, C].
        filter: that column of W_LP as a picture, float32 [P, P, C].
        products: pixels times filter, number by number, float64 [P, P, C].
        sum: the sum of all products.
        bias: what is added to it.
        total: sum + bias.
        norm: the norm that follows in some models, of the whole token, by hand; or None.
        result: the number of the token: after the norm, or `total`.
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
    """One number of one patch's token by hand: patch times filter, summed, plus the bias.

    Args:
        trace: whose input. If it has recorded `embed.patches`, no further forward pass is needed.
        patch: which patch, row by row from 0.
        dimension: which number of the token, 0 to D - 1.

    Raises:
        IndexError: if there is no such patch or dimension.
        ModelError: if a convolutional network stands before the patches.
    """
    model = trace.model
    weight, bias = projection(model)
    patch = checked_index(patch, trace.grid[0] * trace.grid[1], "patch")
    dimension = checked_index(dimension, model.config.embed_dim, "dimension")
    pixels = patch_pixels(trace, patch)[1]
    picture = weight[:, dimension].reshape(pixels.shape)
    products = pixels.astype(np.float64) * picture
    total = float(products.sum()) + float(bias[dimension])
    token = trace.activation("embed.patches")[patch]
    norm = normed_if(flattened(pixels).astype(np.float64) @ weight + bias, model.patch_embed.norm)
    what = f"number {dimension + 1} of the token"
    if norm is None:
        checks = {"total": Check(what, total, float(token[dimension]), among=token)}
    else:
        before = _convolved(model, pixels)
        checks = {
            "total": Check(f"{what} before the norm", total, float(before[dimension]), among=before),
            "result": Check(what, float(norm.result[dimension]), float(token[dimension]), among=token),
        }
    return Projected(
        patch=patch,
        dimension=dimension,
        pixels=pixels,
        filter=picture,
        products=products,
        sum=float(products.sum()),
        bias=float(bias[dimension]),
        total=total,
        norm=norm,
        result=total if norm is None else float(norm.result[dimension]),
        checks=checks,
    )


def _convolved(model: VisionTransformer, pixels: np.ndarray) -> np.ndarray:
    """What the model's own convolution makes of one patch [P, P, C]: [D]."""
    image = torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))
    with torch.no_grad():
        return model.patch_embed.proj(image[None]).flatten().numpy()
