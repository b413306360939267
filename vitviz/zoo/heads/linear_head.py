"""Linear classifier on a feature of a Vision Transformer, and models that use it instead of their own classifier."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import nn

from ...errors import ModelError
from ...errors.arguments import array, each_of_kind, of_kind, one_of, shown, typed
from ...errors.brief import brief
from ...images import Preprocessing
from ...model.config import Pooling
from ...model.pooling import make_pool
from ...trace.saved_weights import fingerprint
from ...trace.vision_transformer import VisionTransformer
from ..class_names import parse_classes

POOLINGS = ("token", "mean", "token+mean", "attention")
KINDS = ("classes", "independent")
MOST_CLASSES = 10_000


@brief
@dataclass(frozen=True, eq=False)
class LinearHead:
    """Linear classifier on the pooled feature of a model: logits = weight @ feature + bias.

    Attributes:
        name: name of the head, such as the name of its file without suffix.
        labels: class names.
        weight: float32 [class, feature].
        bias: float32 [class].
        pooling: pooling of the tokens to the feature, as in `ViTConfig`: `"token"`, `"mean"`, `"token+mean"` or
            `"attention"`.
        output_kind: `"classes"` for mutually exclusive classes (softmax), `"independent"` for one binary classifier for
            each class (sigmoid).
        model: name of the model that computes the feature.
        fingerprint: digest of that model's configuration, weights and preprocessing.
        preprocessing: preprocessing of the images that the head was fitted on, with their size and fit.
        counts: number of images of each class that the head was fitted on.
        correct: number of these images whose class was predicted correctly by heads fitted without them; None if this
            was not measured.
        thumbnails: small JPEG images of each class; empty unless the author of the head added them.

    Raises:
        ModelError: if the parts do not fit together.
    """

    name: str
    labels: tuple[str, ...]
    weight: np.ndarray
    bias: np.ndarray
    pooling: Pooling
    output_kind: Literal["classes", "independent"]
    model: str
    fingerprint: str
    preprocessing: Preprocessing
    counts: tuple[int, ...]
    correct: int | None = None
    thumbnails: tuple[tuple[bytes, ...], ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        for text, what in ((self.name, "name"), (self.model, "model"), (self.fingerprint, "fingerprint")):
            of_kind(text, str, what, ModelError)
        of_kind(self.preprocessing, Preprocessing, "preprocessing", ModelError)
        labels = parse_classes(self.labels)
        if not isinstance(labels, tuple) or not 2 <= len(labels) <= MOST_CLASSES or len(set(labels)) != len(labels):
            raise ModelError(f"A head needs 2 to {MOST_CLASSES:,} different class names, not {shown(self.labels)}.")
        one_of(self.pooling, POOLINGS, "pooling", ModelError)
        one_of(self.output_kind, KINDS, "output_kind", ModelError)
        weight, bias = (
            array(values, axes, f"The {what} of a head", error=ModelError).astype(np.float32)
            for values, axes, what in ((self.weight, "class, feature", "weight"), (self.bias, "class", "bias"))
        )
        if len(weight) != len(labels) or len(bias) != len(labels):
            raise ModelError(
                f"The weight has {len(weight)} rows and the bias {len(bias)} numbers for {len(labels)} class names; "
                "give one of each for a class."
            )
        of_kind(self.counts, Sequence[int], "counts", ModelError)
        of_kind(self.correct, int | None, "correct", ModelError)
        if len(self.counts) != len(labels) or not all(0 <= count < 10**9 for count in self.counts):
            raise ModelError("The counts of a head must be one number of images for each class.")
        if self.correct is not None and not 0 <= self.correct <= sum(self.counts):
            raise ModelError(f"{self.correct} of {sum(self.counts)} images cannot be correct; give fewer.")
        if self.thumbnails and len(self.thumbnails) != len(labels):
            raise ModelError("The thumbnails of a head must be one list for each class.")
        for images in self.thumbnails:
            each_of_kind(images, bytes, "thumbnails")
        for values in (weight, bias):
            values.flags.writeable = False
        for name, value in {"labels": labels, "weight": weight, "bias": bias, "counts": tuple(self.counts)}.items():
            object.__setattr__(self, name, value)

    @property
    def digest(self) -> str:
        """SHA-256 of what the head computes: its model, labels, weights and kind, in hexadecimal."""
        digest = hashlib.sha256(repr((self.fingerprint, self.labels, self.pooling, self.output_kind)).encode())
        digest.update(self.weight.tobytes() + self.bias.tobytes())
        return digest.hexdigest()

    def save(self, path: str | Path, *, with_thumbnails: bool = False) -> None:
        """Write the head to a `.safetensors` file, see `vitviz.zoo.heads.head_file`.

        Args:
            path: path of the file.
            with_thumbnails: whether the file contains the thumbnails.

        Raises:
            ModelError: if the file cannot be written.
        """
        from .head_file import write_head

        write_head(self if with_thumbnails else replace(self, thumbnails=()), Path(path))


@typed
def with_pooling(model: VisionTransformer, pooling: Pooling | None = None) -> VisionTransformer:
    """Return a model without classifier, whose output is the pooled feature. It shares all weights with the given one.

    Args:
        model: any model.
        pooling: pooling of the tokens; by default that of the model.

    Raises:
        ModelError: if the model has no such pooling: attention pooling is learned, and the others need their tokens.
    """
    own = model.config.pooling
    pooling = pooling or ("token" if own == "distilled" else own)
    if pooling not in POOLINGS or (pooling == "attention" and own != "attention"):
        offered = [one for one in POOLINGS if one != "attention" or own == one]
        raise ModelError(f"{model.name!r} has no {shown(pooling)} pooling; choose from {', '.join(offered)}.")
    if "token" in pooling and not model.config.class_token:
        raise ModelError(f"{model.name!r} has no class token; choose the pooling 'mean'.")
    is_own = pooling == own
    config = replace(
        model.config,
        num_classes=0,
        pooling=pooling,
        fc_norm=model.config.fc_norm and is_own,
        pool_include_prefix=model.config.pool_include_prefix and is_own,
    )
    result = _shallow_copy(model)
    result.config, result.labels, result.output_kind = config, (), "classes"
    if not is_own:
        result.attn_pool = make_pool(config)
        result.fc_norm = nn.Identity()
    result.head = nn.Identity()
    return result


@typed
def attached(model: VisionTransformer, head: LinearHead) -> VisionTransformer:
    """Return a model whose classifier is a linear head. It shares all other weights with the given model.

    Args:
        model: the model that the head was fitted on.
        head: linear head.

    Returns:
        A classifier, with the preprocessing that the head was fitted with.

    Raises:
        ModelError: if the head was fitted on another model, or its weight does not have the shape of the feature.
    """
    _check_model(model, head)
    result = with_pooling(model, head.pooling)
    classes, feature = head.weight.shape
    if feature != result.config.feature_dim:
        raise ModelError(
            f"The head {shown(head.name)} is for features of {feature} numbers, but those of {model.name!r} have "
            f"{result.config.feature_dim}; fit it again."
        )
    linear = nn.Linear(feature, classes)
    linear.requires_grad_(False)
    linear.weight.copy_(torch.from_numpy(np.array(head.weight)))
    linear.bias.copy_(torch.from_numpy(np.array(head.bias)))
    result.head = linear.eval()
    result.config = replace(result.config, num_classes=classes)
    result.labels, result.output_kind = head.labels, head.output_kind
    result.name = f"{model.name}+{head.name}"
    result.set_preprocessing(head.preprocessing, ())
    return result


def _check_model(model: VisionTransformer, head: LinearHead) -> None:
    if fingerprint(model) == head.fingerprint:
        return
    other = "other weights or another preprocessing" if model.name == head.model else f"the model {shown(model.name)}"
    raise ModelError(
        f"The head {shown(head.name)} was fitted on {shown(head.model)}, so it cannot be used with {other}; load the "
        "model that it was fitted on, or fit a new head."
    )


def _shallow_copy(model: VisionTransformer) -> VisionTransformer:
    """Copy a model without its parts, which both then share."""
    result = copy.copy(model)
    for parts in ("_parameters", "_buffers", "_modules"):
        result.__dict__[parts] = copy.copy(model.__dict__[parts])
    return result
