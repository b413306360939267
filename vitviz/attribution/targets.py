"""What is explained: one number made of a model's output."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..arguments import array, checked_index, each_of_kind, of_kind
from ..errors import ModelError
from ..predictions import predictions
from ..trace import Trace


class Target:
    """One number of a model's output, differentiable. Derive from it to explain something else.

    Attributes:
        words: what it is, to be read by people.
    """

    words: str = ""

    def __call__(self, output: Tensor) -> Tensor:
        """From what a model returns, [batch, out], to the number that is explained, [batch]."""
        raise NotImplementedError

    def check(self, trace: Trace) -> None:
        """Refuse, in a sentence, a model whose output does not have this number."""


@dataclass(frozen=True)
class ClassTarget(Target):
    """The logit of a class.

    Attributes:
        index: which class; may be negative, as Python's.
        label: what it is called; `"class 281"` if that is not known.
    """

    index: int
    label: str = ""

    @property
    def words(self) -> str:
        """The name of the class."""
        return self.label or f"class {self.index}"

    def __call__(self, output: Tensor) -> Tensor:
        """The logits of the class, [batch]."""
        return output[:, self.index]

    def check(self, trace: Trace) -> None:
        """Raise a `ModelError` if the model has no classes, an `IndexError` if it does not have this one."""
        _check_class(trace, self.index)


@dataclass(frozen=True)
class DifferenceTarget(Target):
    """The logit of class `a` less that of class `b`: what speaks for the one rather than the other.

    Attributes:
        a: a class; may be negative, as Python's.
        b: the one it is compared with.
        labels: what the two are called.
    """

    a: int
    b: int
    labels: tuple[str, str] = ("", "")

    def __post_init__(self) -> None:
        of_kind(self.labels, tuple[str, str], "labels")

    @property
    def words(self) -> str:
        """Both names."""
        first, second = (label or f"class {index}" for label, index in zip(self.labels, (self.a, self.b), strict=True))
        return f"{first} minus {second}"

    def __call__(self, output: Tensor) -> Tensor:
        """The differences of the logits, [batch]."""
        return output[:, self.a] - output[:, self.b]

    def check(self, trace: Trace) -> None:
        """Raise a `ModelError` if the model has no classes, an `IndexError` if it lacks one of the two."""
        if _check_class(trace, self.a) == _check_class(trace, self.b):
            raise ModelError(f"{self.words} is always 0; choose two different classes.")


@dataclass(frozen=True, eq=False)
class SimilarityTarget(Target):
    """The cosine of the model's output with a given one: "why are these two alike?".

    Attributes:
        feature: what the output is compared with, [D]; its length does not matter.
        words: what that is the feature of.
    """

    feature: np.ndarray
    words: str

    @classmethod
    def of(cls, traces: Sequence[Trace], words: str) -> SimilarityTarget:
        """The similarity to some images: to the mean of their outputs, each scaled to length 1 first.

        Raises:
            ModelError: if there is none, or if they come of models with outputs of different widths.
        """
        each_of_kind(traces, Trace, "traces")
        if not traces or len({trace.output.shape for trace in traces}) > 1:
            raise ModelError("Similarity needs at least one image, and all of them as the same model sees them.")
        if not all(np.any(trace.output) for trace in traces):
            raise ModelError("The feature of one of the images is zero, so nothing can be compared with it.")
        return cls(np.mean([trace.output / np.linalg.norm(trace.output) for trace in traces], axis=0), words)

    def __call__(self, output: Tensor) -> Tensor:
        """The cosines, [batch], from -1 to 1."""
        return F.cosine_similarity(output, _as_row(self.feature, output), dim=-1)

    def check(self, trace: Trace) -> None:
        """Raise a `ModelError` if the feature is not one of this model."""
        _check_feature(trace, self.feature)


@dataclass(frozen=True, eq=False)
class ProjectionTarget(Target):
    """How much of a given feature the model's output has: their product, divided by the feature's squared length.

    It is 1 for the feature itself, as the cosine is, but the cosine has its maximum there, and so no gradient.

    Attributes:
        feature: the feature, [D].
        words: what it is the feature of.
    """

    feature: np.ndarray
    words: str

    def __call__(self, output: Tensor) -> Tensor:
        """The shares, [batch]."""
        feature = _as_row(self.feature, output)
        return (output * feature).sum(dim=-1) / feature.square().sum()

    def check(self, trace: Trace) -> None:
        """Raise a `ModelError` if the feature is not one of this model."""
        _check_feature(trace, self.feature)


def default_target(trace: Trace) -> Target:
    """What is explained if nobody says what: the likeliest class; without classes, the image's own feature.

    Raises:
        ModelError: if the model's output is not finite.
    """
    if trace.model.tells_classes:
        best = predictions(trace, 1)[0]
        return ClassTarget(best.index, best.label)
    return ProjectionTarget(trace.output, "this image's own feature")


def value_of(target: Target, trace: Trace) -> float:
    """What a target is for the image of a trace.

    Raises:
        ModelError: if that is not a finite number.
    """
    with torch.no_grad():
        value = float(target(torch.tensor(trace.output)[None])[0])
    if not np.isfinite(value):
        raise ModelError(f"{trace.model.name!r} returns numbers that are not finite; check its weights.")
    return value


def checked_target(target: Target | None, trace: Trace) -> Target:
    """The target, or the default one; refused in a sentence if the model's output does not have it."""
    if target is None:
        return default_target(trace)
    if not isinstance(target, Target):
        raise ModelError(f"A target has to be a vitviz.attribution.Target; this is a {type(target).__name__}.")
    target.check(trace)
    return target


def _as_row(feature: np.ndarray, like: Tensor) -> Tensor:
    return torch.tensor(feature, dtype=like.dtype, device=like.device)[None]


def _check_class(trace: Trace, index: int) -> int:
    """The class counted from 0."""
    if not trace.model.tells_classes:
        raise ModelError(f"{trace.model.name!r} has no classes; explain a similarity instead.")
    return checked_index(index, len(trace.output), "class")


def _check_feature(trace: Trace, feature: np.ndarray) -> None:
    shape = array(feature, "...", "The numbers of the feature", finite=False, empty=True).shape
    if shape != trace.output.shape:
        raise ModelError(
            f"The feature has shape {list(shape)}; {trace.model.name!r} returns {list(trace.output.shape)}: "
            "compare images as the same model sees them."
        )
    if not np.isfinite(feature).all() or not np.any(feature):
        raise ModelError("The feature is zero or not finite, so nothing can be compared with it.")
