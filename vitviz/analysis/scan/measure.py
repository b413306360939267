"""Measurements of a batch of images in one forward pass: features, outputs and statistics of attention."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ...errors import ArgumentError, ImageError, ModelError
from ...errors.arguments import checked_index, each_of_kind, typed
from ...errors.brief import brief
from ...images import Prepared
from ...model.config import POOL
from ...model.hooks import capture, listen, without_hooks
from ...model.precision import check_numbers, plain_arithmetic
from ...model.vit import ViT
from ...trace.inputs import ModelInput, model_input
from ..tokens.token_norms import outliers_in
from .head_sums import HeadSums, PooledAttention

LARGEST_HALF = float(np.finfo(np.float16).max)


@brief
@dataclass(frozen=True, eq=False)
class Measurements:
    """Measurements of a batch of images; float32 arrays whose first axis is the image.

    Attributes:
        feature: input of the classifier before its last layer, [image, D]; the mean of both tokens for a distilled
            model. Without a classifier, the output.
        output: logits [image, class]; None for a model without classes.
        distance: mean attention distance [image, layer, head], in pixels of the input. None if not asked for, as the
            following three.
        entropy: mean attention entropy [image, layer, head], in bits; also None for differential attention.
        to_class_token: mean attention of the patches to the class token [image, layer, head]; None without one.
        to_registers: mean attention of the patches to all registers together [image, layer, head]; None without any. A
            distillation token is not a register.
        outliers: patches whose last token has an outlier norm, int64 [outlier], for each image; ascending, counted from
            0 row by row.
        class_map: attention of the pooled tokens to the patches in the last layer (that of the pooling, if it is an
            attention), mean over heads, [image, rows, columns].
        tokens: residual stream after the layers asked for, float16 [image, patch, D], by layer index from 0. Numbers
            beyond the range of float16 become its largest.
    """

    feature: np.ndarray
    output: np.ndarray | None
    distance: np.ndarray | None
    entropy: np.ndarray | None
    to_class_token: np.ndarray | None
    to_registers: np.ndarray | None
    outliers: tuple[np.ndarray, ...]
    class_map: np.ndarray
    tokens: Mapping[int, np.ndarray]


@typed
@plain_arithmetic()
def measure(
    model: ViT,
    images: Sequence[Prepared | ModelInput],
    *,
    patch_tokens: Sequence[int] = (),
    head_statistics: bool = True,
) -> Measurements:
    """Run a model on a batch of images, and measure what a scan writes for each.

    Attention statistics are computed during the pass, layer by layer, so that memory stays that of a forward pass.
    They equal those of `vitviz.analysis.attention.head_statistics`, up to rounding. `edit` and `capture` blocks around
    the call have no effect.

    Args:
        model: model to run.
        images: images prepared for the model, of one grid; or inputs from `vitviz.trace.batches.input_batches`, which
            threads have normalised already.
        patch_tokens: indices of the layers whose patch tokens are returned, from 0; negative ones count from the end.
        head_statistics: compute the statistics of the heads, which take most of the time beside the pass.

    Raises:
        ImageError: if an image was prepared for another model, or the images have different sizes.
        ModelError: if the weights have several dtypes or devices, or the model returns numbers that are not finite.
        IndexError: if a layer is out of range.
        ArgumentError: if there are no images, or one is not prepared.
    """
    config = model.config
    layers = [checked_index(layer, config.depth, "layer") for layer in patch_tokens]
    batch, grid = _batch(model, images)
    check_numbers(model)
    sums = HeadSums(model, grid) if head_statistics else None
    pooled = PooledAttention(model, grid)
    last = f"blocks.{config.depth - 1}.resid_post"
    names = {last, *(f"blocks.{layer}.resid_post" for layer in layers)}
    feature_name = f"{POOL}.out" if config.pooling == "attention" else "norm"
    with ExitStack() as stack:
        stack.enter_context(torch.no_grad())
        stack.enter_context(without_hooks())
        recorded = stack.enter_context(capture(*names, *([feature_name] * model.is_classifier)))
        stack.enter_context(listen(pooled.functions()))
        if sums is not None:
            stack.enter_context(listen(sums.functions()))
        output = model(batch)
        feature = _feature(model, recorded[feature_name]) if model.is_classifier else output
    measured = _statistics(model, sums)
    return Measurements(
        feature=_array(feature),
        output=_array(output) if model.is_classifier else None,
        outliers=_outliers(model, recorded[last]),
        class_map=pooled.map,
        tokens={layer: _half(recorded[f"blocks.{layer}.resid_post"], config.num_prefix_tokens) for layer in layers},
        **measured,
    )


def _batch(model: ViT, images: Sequence[Prepared | ModelInput]) -> tuple[Tensor, tuple[int, int]]:
    """Return the input of the model, [image, channel, H, W], and its grid."""
    each_of_kind(images, Prepared | ModelInput, "images")
    if not len(images):
        raise ArgumentError("The argument 'images' is empty; give at least one image.")
    pixels = [model_input(model, image, None, None).pixels for image in images]
    sizes = sorted({tuple(one.shape[1:]) for one in pixels})
    if len(sizes) > 1:
        first, other = (f"{height} x {width}" for height, width in sizes[:2])
        raise ImageError(
            f"The images of a batch must have one input size, but there are {first} and {other}; measure images of one "
            "size at a time."
        )
    batch = torch.stack(pixels)
    return batch, model.grid_of(batch)


def _feature(model: ViT, recorded: Tensor) -> Tensor:
    """Return the feature [image, D] of the pooling's output, or of the tokens after the final norm."""
    pooled = recorded if model.config.pooling == "attention" else model.attn_pool(recorded)
    feature = model.fc_norm(pooled)
    return feature.mean(dim=1) if model.config.pooling == "distilled" else feature


def _statistics(model: ViT, sums: HeadSums | None) -> dict[str, np.ndarray | None]:
    """Return the statistics of the heads by name."""
    if sums is None:
        return dict.fromkeys(("distance", "entropy", "to_class_token", "to_registers"))
    config, means = model.config, sums.means()
    distance, entropy, prefix = means[..., 0], means[..., 1], means[..., 2:]
    has_registers = config.num_registers > 0 and config.pooling != "distilled"
    statistics = {
        "distance": distance,
        "entropy": None if config.differential else entropy,
        "to_class_token": prefix[..., 0] if config.class_token else None,
        "to_registers": prefix[..., int(config.class_token) :].sum(axis=-1) if has_registers else None,
    }
    return {name: None if one is None else np.ascontiguousarray(one) for name, one in statistics.items()}


def _outliers(model: ViT, tokens: Tensor) -> tuple[np.ndarray, ...]:
    """Return the patches with outlier norms of each image, from the last tokens [image, token, D]."""
    norms, prefix = _array(torch.linalg.vector_norm(tokens.float(), dim=-1)), model.config.num_prefix_tokens
    if not np.isfinite(norms).all():
        raise ModelError(f"{model.name!r} returns numbers that are not finite; check its weights.")
    found = (outliers_in(of_image, prefix).tokens for of_image in norms)
    return tuple(np.sort(np.array(tokens, dtype=np.int64)) - prefix for tokens in found)


def _half(tokens: Tensor, prefix: int) -> np.ndarray:
    """Convert the patches among tokens [image, token, D] to float16."""
    return tokens[:, prefix:].clamp(-LARGEST_HALF, LARGEST_HALF).half().cpu().numpy()


def _array(tensor: Tensor) -> np.ndarray:
    return tensor.detach().float().cpu().numpy()
