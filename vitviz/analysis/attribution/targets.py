"""Targets of an explanation: functions from a model's output to one number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ...errors import ModelError
from ...errors.arguments import array, each_of_kind, is_whole, of_kind, shown
from ...errors.brief import brief
from ...trace.trace import Trace
from ...trace.vision_transformer import VisionTransformer
from ..predictions import class_index, class_name, predictions


class Target:
    """Differentiable function from a model's output to one number; the base class of all targets.

    Attributes:
        label: name of the target on screen.
    """

    label: str = ""

    def __call__(self, output: Tensor) -> Tensor:
        """Compute the target, [batch], from a model's output, [batch, out]."""
        raise NotImplementedError

    def check(self, trace: Trace) -> None:
        """Raise an error if the trace's model does not have this target."""

    def of_model(self, model: VisionTransformer) -> Target:
        """Return the target with class indices and labels of this model."""
        return self


@dataclass(frozen=True)
class ClassTarget(Target):
    """Logit of a class.

    Attributes:
        index: class index, from 0 or negative, or class name.
        label: label of the class; by default the model's label, or `"class 281"` if it has none (see `of_model`).
    """

    index: int | str
    label: str = ""

    def __post_init__(self) -> None:
        _check_class(self.index, "index")
        of_kind(self.label, str, "label")

    def __call__(self, output: Tensor) -> Tensor:
        """Return the logits of the class, [batch]."""
        return output[:, self.index]

    def check(self, trace: Trace) -> None:
        """Raise a `ModelError` if the class name is unknown, an `IndexError` if the index is out of range."""
        class_index(trace.model, self.index)

    def of_model(self, model: VisionTransformer) -> ClassTarget:
        """Return the target with the class index from 0 and, unless given, the model's label.

        Raises:
            ModelError: as `check`.
            IndexError: as `check`.
        """
        index = class_index(model, self.index)
        return replace(self, index=index, label=self.label or class_name(model, index))


@dataclass(frozen=True)
class DifferenceTarget(Target):
    """Logit of class `a` minus logit of class `b`: evidence for the one rather than the other.

    Attributes:
        a: class index, from 0 or negative, or class name.
        b: class to contrast with, likewise.
        labels: labels of both classes; by default the model's labels (see `of_model`).
    """

    a: int | str
    b: int | str
    labels: tuple[str, str] = ("", "")

    def __post_init__(self) -> None:
        _check_class(self.a, "a")
        _check_class(self.b, "b")
        of_kind(self.labels, tuple[str, str], "labels")

    @property
    def label(self) -> str:
        """Label of the difference, such as `"three minus five"`."""
        first, second = map(_class_label, self.labels, (self.a, self.b))
        return f"{first} minus {second}"

    def __call__(self, output: Tensor) -> Tensor:
        """Return the differences of the logits, [batch]."""
        return output[:, self.a] - output[:, self.b]

    def check(self, trace: Trace) -> None:
        """Raise a `ModelError` or an `IndexError` if the model lacks one of the classes, or both are the same."""
        if class_index(trace.model, self.a) == class_index(trace.model, self.b):
            raise ModelError(f"{self.label} is always 0; choose two different classes.")

    def of_model(self, model: VisionTransformer) -> DifferenceTarget:
        """Return the target with class indices from 0 and, unless given, the model's labels.

        Raises:
            ModelError: as `check`.
            IndexError: as `check`.
        """
        a, b = class_index(model, self.a), class_index(model, self.b)
        names = (label or class_name(model, index) for label, index in zip(self.labels, (a, b), strict=True))
        return replace(self, a=a, b=b, labels=tuple(names))


@brief
@dataclass(frozen=True, eq=False)
class SimilarityTarget(Target):
    """Cosine similarity of the model's output with a given feature, to explain why two images are alike.

    Attributes:
        feature: feature to compare with, [D]; its norm does not matter.
        label: name of the feature.
    """

    feature: np.ndarray
    label: str

    @classmethod
    def of(cls, traces: Sequence[Trace], label: str) -> SimilarityTarget:
        """Return the similarity to the mean of several images' outputs, each normalised to unit length.

        Args:
            traces: traces of the images.
            label: name of the images.

        Raises:
            ModelError: if there are no traces, or their outputs differ in shape or are zero.
        """
        each_of_kind(traces, Trace, "traces")
        if not traces or len({trace.output.shape for trace in traces}) > 1:
            raise ModelError("Similarity needs at least one image, and traces of all images by the same model.")
        if not all(np.any(trace.output) for trace in traces):
            raise ModelError("The feature of one of the images is zero; choose images with a nonzero feature.")
        return cls(np.mean([trace.output / np.linalg.norm(trace.output) for trace in traces], axis=0), label)

    def __call__(self, output: Tensor) -> Tensor:
        """Return the cosine similarities, [batch], from -1 to 1."""
        return F.cosine_similarity(output, _as_row(self.feature, output), dim=-1)

    def check(self, trace: Trace) -> None:
        """Raise a `ModelError` if the feature does not fit the model's output."""
        _check_feature(trace, self.feature)


@brief
@dataclass(frozen=True, eq=False)
class ProjectionTarget(Target):
    """Projection of the model's output on a given feature: dot product, divided by the feature's squared norm.

    It is 1 for the feature itself, like the cosine, but unlike the cosine it has a gradient there.

    Attributes:
        feature: feature to project on, [D].
        label: name of the feature.
    """

    feature: np.ndarray
    label: str

    def __call__(self, output: Tensor) -> Tensor:
        """Return the projections, [batch]."""
        feature = _as_row(self.feature, output)
        return (output * feature).sum(dim=-1) / feature.square().sum()

    def check(self, trace: Trace) -> None:
        """Raise a `ModelError` if the feature does not fit the model's output."""
        _check_feature(trace, self.feature)


def default_target(trace: Trace) -> Target:
    """Return the default target: the top-1 class, or for models without classes the image's own feature.

    Raises:
        ModelError: if the model's output is not finite.
    """
    if trace.model.is_classifier:
        best = predictions(trace, 1)[0]
        return ClassTarget(best.index, best.label)
    return ProjectionTarget(trace.output, "this image's own feature")


def value_of(target: Target, trace: Trace) -> float:
    """Return the value of a target for the image of a trace.

    Raises:
        ModelError: if the value is not finite.
    """
    with torch.no_grad():
        value = float(target(torch.tensor(trace.output)[None])[0])
    if not np.isfinite(value):
        raise ModelError(f"{trace.model.name!r} returns numbers that are not finite; check its weights.")
    return value


AnyTarget = Target | int | str  # a target, a class index or a class name


def checked_target(target: AnyTarget | None, trace: Trace) -> Target:
    """Convert to a target and check it against the trace's model.

    Args:
        target: a target, a class index or a class name; None for the default target.
        trace: trace of the image.

    Raises:
        ModelError: if this is no target, or the model does not have the class or feature.
        IndexError: if the class index is out of range.
    """
    if target is None:
        return default_target(trace)
    if isinstance(target, str) or is_whole(target):
        target = ClassTarget(target)
    if not isinstance(target, Target):
        raise ModelError(
            "A target has to be a class index, a class name or a vitviz.analysis.attribution.Target such as "
            f"DifferenceTarget(3, 5), not {shown(target)}."
        )
    target.check(trace)
    return target.of_model(trace.model)


def _as_row(feature: np.ndarray, like: Tensor) -> Tensor:
    return torch.tensor(feature, dtype=like.dtype, device=like.device)[None]


def _check_class(chosen: object, name: str) -> None:
    of_kind(chosen, int | str, name)


def _class_label(label: str, chosen: int | str) -> str:
    return label or (chosen if isinstance(chosen, str) else f"class {chosen}")


def _check_feature(trace: Trace, feature: np.ndarray) -> None:
    shape = array(feature, "...", "The values of the feature", finite=False, empty=True).shape
    if shape != trace.output.shape:
        raise ModelError(
            f"The feature has shape {list(shape)}, but {trace.model.name!r} returns {list(trace.output.shape)}; "
            "compare images by the same model."
        )
    if not np.isfinite(feature).all() or not np.any(feature):
        raise ModelError("The feature is zero or not finite; give a nonzero, finite feature.")
