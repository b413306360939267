"""Linear classifier on a feature of a Vision Transformer, and models that use it instead of their own classifier."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import nn

from ...errors import ImageError, ModelError
from ...errors.arguments import array, is_whole, of_kind, one_of, shown, typed
from ...errors.brief import brief
from ...images import Preprocessing, Size, check_size
from ...model.config import Pooling
from ...model.pooling import make_pool
from ...trace.atomic_write import save_file
from ...trace.inputs import MAX_PATCHES, default_size
from ...trace.saved_weights import fingerprint
from ...trace.vision_transformer import VisionTransformer
from .head_file import encode
from .names import checked_labels, checked_name
from .thumbnails import checked_thumbnails

POOLINGS = ("token", "mean", "token+mean", "attention")
KINDS = ("classes", "independent")
MOST_IMAGES = 10**9  # of a class
# In the JSON text of a file.
SAVED_FIELDS = ("labels", "pooling", "output_kind", "model", "fingerprint", "preprocessing", "counts", "correct")


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
        checked_name(self.name)
        of_kind(self.model, str, "model", ModelError)
        of_kind(self.fingerprint, str, "fingerprint", ModelError)
        of_kind(self.preprocessing, Preprocessing, "preprocessing", ModelError)
        labels = checked_labels(self.labels)
        one_of(self.pooling, POOLINGS, "pooling", ModelError)
        one_of(self.output_kind, KINDS, "output_kind", ModelError)
        weight = _float32(self.weight, "class, feature", "The weight of a head")
        bias = _float32(self.bias, "class", "The bias of a head")
        if len(weight) != len(labels) or len(bias) != len(labels):
            raise ModelError(
                f"The weight has {len(weight)} rows and the bias {len(bias)} numbers for {len(labels)} class names; "
                "give one of each for a class."
            )
        of_kind(self.counts, Sequence[int], "counts", ModelError)
        of_kind(self.correct, int | None, "correct", ModelError)
        if len(self.counts) != len(labels) or not all(is_whole(one) and 0 <= one <= MOST_IMAGES for one in self.counts):
            raise ModelError("The counts of a head must be one number of images for each class.")
        counts = tuple(map(int, self.counts))
        correct = None if self.correct is None else int(self.correct)
        if correct is not None and not 0 <= correct <= sum(counts):
            raise ModelError(f"{correct} of {sum(counts)} images cannot be correct; give fewer.")
        thumbnails = checked_thumbnails(self.thumbnails, len(labels))
        values = {"labels": labels, "weight": weight, "bias": bias, "counts": counts, "correct": correct}
        for name, value in (values | {"thumbnails": thumbnails}).items():
            object.__setattr__(self, name, value)

    @property
    def digest(self) -> str:
        """SHA-256 of what the head computes: its model, labels, weights and kind, in hexadecimal."""
        digest = hashlib.sha256(repr((self.fingerprint, self.labels, self.pooling, self.output_kind)).encode())
        digest.update(self.weight.tobytes() + self.bias.tobytes())
        return digest.hexdigest()

    @typed
    def save(self, path: str | Path, *, with_thumbnails: bool = False) -> None:
        """Write the head to a `.safetensors` file, see `vitviz.zoo.heads.head_file`.

        Args:
            path: path of the file.
            with_thumbnails: whether the file contains the thumbnails.

        Raises:
            ModelError: if the file cannot be written.
        """
        data = head_bytes(self if with_thumbnails else replace(self, thumbnails=()))
        save_file(Path(path), data, "head", ModelError)


@typed
def head_bytes(head: LinearHead) -> bytes:
    """Return the content of a file of a head, with its thumbnails.

    Raises:
        ModelError: if the file would be too large.
    """
    arrays = {"weight": head.weight, "bias": head.bias}
    for index, images in enumerate(head.thumbnails):
        arrays |= {f"thumbnails.{index}.{i}": np.frombuffer(image, np.uint8) for i, image in enumerate(images)}
    about = {name: getattr(head, name) for name in SAVED_FIELDS} | {"preprocessing": asdict(head.preprocessing)}
    return encode(arrays, about, head.name)


@typed
def with_pooling(model: VisionTransformer, pooling: Pooling | None = None) -> VisionTransformer:
    """Return a model without classifier, whose output is the pooled feature. It shares all weights with the given one.

    Args:
        model: any model.
        pooling: pooling of the tokens; by default that of the model, or the class token for a model with two
            classifiers (DeiT). The norm of a pooled feature (`fc_norm`) is part of the model's own pooling only.

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
    result.config, result.labels, result.output_kind, result.linear_head = config, (), "classes", ""
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
        ModelError: if the head was fitted on another model, or does not have the shape of the feature or the
            preprocessing of the model.
    """
    check_fingerprint(head, model, fingerprint(model))
    return with_classifier(model, head)


def with_classifier(model: VisionTransformer, head: LinearHead) -> VisionTransformer:
    """Do the work of `attached` for a model that was checked to be the one that the head was fitted on."""
    result = with_pooling(model, head.pooling)
    classes, feature = head.weight.shape
    if feature != result.config.feature_dim:
        raise ModelError(
            f"The head {shown(head.name)} is for features of {feature} numbers, but those of {model.name!r} have "
            f"{result.config.feature_dim}; fit it again."
        )
    linear = nn.Linear(feature, classes).to(next(model.parameters()))
    linear.requires_grad_(False)
    linear.weight.copy_(torch.from_numpy(np.array(head.weight)))
    linear.bias.copy_(torch.from_numpy(np.array(head.bias)))
    result.head = linear.eval()
    result.config = replace(result.config, num_classes=classes)
    result.labels, result.output_kind, result.linear_head = head.labels, head.output_kind, head.digest
    result.name = f"{model.name}+{head.name}"
    result.set_preprocessing(_preprocessing(model, head), model._preprocessing_notes)
    return result


@typed
def preprocessing_of(model: VisionTransformer, size: Size | None = None, fit: str | None = None) -> Preprocessing:
    """Return the preprocessing of a head that is fitted on images with this size and fit.

    Args:
        model: model that computes the features.
        size: input size, as in `VisionTransformer.trace`.
        fit: fit of the images to that size, as in `VisionTransformer.trace`.

    Raises:
        ImageError: if the size or the fit is invalid, or the size has more than 16,384 patches.
    """
    own = model.preprocessing
    size = default_size(model.config, own) if size is None else size
    fit = own.fit if fit is None else fit
    height, width = check_size(size, model.config.patch_size)
    patches = (height // model.config.patch_size) * (width // model.config.patch_size)
    if patches > MAX_PATCHES:
        raise ImageError(
            f"A size of {height} x {width} pixels makes {patches:,} patches; use at most {MAX_PATCHES:,} for a head."
        )
    size = (height, width) if isinstance(size, tuple | list) else height  # as integers of Python
    # `prepare` applies the crop fraction with these fits only if the model was trained with them.
    crop_fraction = 1.0 if fit in ("squash", "pad") and fit != own.fit else own.crop_fraction
    return replace(own, size=size, fit=fit, crop_fraction=crop_fraction)


def _preprocessing(model: VisionTransformer, head: LinearHead) -> Preprocessing:
    """Return the preprocessing of a model with a head.

    Raises:
        ModelError: if that of the head is not the model's with another size or fit.
    """
    given = head.preprocessing
    try:
        expected = preprocessing_of(model, given.size, given.fit)
    except ImageError as error:
        raise ModelError(f"The head {shown(head.name)} cannot be used: {error}") from error
    if replace(given, size=expected.size) != expected:
        raise ModelError(
            f"The head {shown(head.name)} has another preprocessing than the model {shown(model.name)}; fit it again."
        )
    return expected


def check_fingerprint(head: LinearHead, model: VisionTransformer, digest: str) -> None:
    """Check that a head was fitted on a model, given with its fingerprint.

    Raises:
        ModelError: if it was fitted on another model.
    """
    if digest == head.fingerprint:
        return
    other = "other weights or another preprocessing" if model.name == head.model else f"the model {shown(model.name)}"
    raise ModelError(
        f"The head {shown(head.name)} was fitted on {shown(head.model)}, so it cannot be used with {other}; load the "
        "model that it was fitted on, or fit a new head."
    )


def _float32(values: object, axes: str, what: str) -> np.ndarray:
    """Return a read-only copy in float32 of finite numbers with these axes."""
    with np.errstate(over="ignore"):
        result = array(values, axes, what, error=ModelError).astype(np.float32)
    array(result, axes, what, error=ModelError)  # numbers beyond the range of float32 are infinite now
    result.flags.writeable = False
    return result


def _shallow_copy(model: VisionTransformer) -> VisionTransformer:
    """Copy a model without its parts, which both then share."""
    result = copy.copy(model)
    for parts in ("_parameters", "_buffers", "_modules"):
        result.__dict__[parts] = copy.copy(model.__dict__[parts])
    return result
