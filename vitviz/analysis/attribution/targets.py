"""What is explained: one number made of a model's output."""

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

    def of_model(self, model: VisionTransformer) -> Target:
        """The same target with the names and numbers of this model's classes; itself if it is about no class."""
        return self


@dataclass(frozen=True)
class ClassTarget(Target):
    """The logit of a class.

    Attributes:
        index: which class, by its number, which may be negative as Python's, or by its name.
        label: what it is called; the model's own name of it if that is not given, `"class 281"` if it has none.
    """

    index: int | str
    label: str = ""

    def __post_init__(self) -> None:
        _check_chosen(self.index, "index")
        of_kind(self.label, str, "label")

    @property
    def words(self) -> str:
        """The name of the class."""
        return _words(self.label, self.index)

    def __call__(self, output: Tensor) -> Tensor:
        """The logits of the class, [batch]."""
        return output[:, self.index]

    def check(self, trace: Trace) -> None:
        """Raise a `ModelError` if the model has no class of this name, an `IndexError` if none of this number."""
        class_index(trace.model, self.index)

    def of_model(self, model: VisionTransformer) -> ClassTarget:
        """The same class by its number from 0, with the model's name of it if it has no label.

        Raises:
            ModelError: as `check`.
            IndexError: as `check`.
        """
        index = class_index(model, self.index)
        return replace(self, index=index, label=self.label or class_name(model, index))


@dataclass(frozen=True)
class DifferenceTarget(Target):
    """The logit of class `a` less that of class `b`: what speaks for the one rather than the other.

    Attributes:
        a: a class, by its number, which may be negative as Python's, or by its name.
        b: the one it is compared with.
        labels: what the two are called; the model's own names if that is not given.
    """

    a: int | str
    b: int | str
    labels: tuple[str, str] = ("", "")

    def __post_init__(self) -> None:
        _check_chosen(self.a, "a")
        _check_chosen(self.b, "b")
        of_kind(self.labels, tuple[str, str], "labels")

    @property
    def words(self) -> str:
        """Both names."""
        first, second = map(_words, self.labels, (self.a, self.b))
        return f"{first} minus {second}"

    def __call__(self, output: Tensor) -> Tensor:
        """The differences of the logits, [batch]."""
        return output[:, self.a] - output[:, self.b]

    def check(self, trace: Trace) -> None:
        """Raise a `ModelError` or an `IndexError` if the model lacks one of the two, or they are the same."""
        if class_index(trace.model, self.a) == class_index(trace.model, self.b):
            raise ModelError(f"{self.words} is always 0; choose two different classes.")

    def of_model(self, model: VisionTransformer) -> DifferenceTarget:
        """The same classes by their numbers from 0, with the model's names of those that have no label.

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


@brief
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
    if trace.model.is_classifier:
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


AnyTarget = Target | int | str  # a class may be given by its number or its name


def checked_target(target: AnyTarget | None, trace: Trace) -> Target:
    """The target that is meant; refused in a sentence if the model's output does not have it.

    Args:
        target: a target; or the number or the name of a class; None for the default one.
        trace: of the model that it is about.

    Raises:
        ModelError: if it is no target, or the model has no such class or feature.
        IndexError: if the model has no class of this number.
    """
    if target is None:
        return default_target(trace)
    if isinstance(target, str) or is_whole(target):
        target = ClassTarget(target)
    if not isinstance(target, Target):
        raise ModelError(
            "A target has to be the number or the name of a class, or a vitviz.analysis.attribution.Target such as "
            f"DifferenceTarget(3, 5); this is {shown(target)}."
        )
    target.check(trace)
    return target.of_model(trace.model)


def _as_row(feature: np.ndarray, like: Tensor) -> Tensor:
    return torch.tensor(feature, dtype=like.dtype, device=like.device)[None]


def _check_chosen(chosen: object, name: str) -> None:
    of_kind(chosen, int | str, name)


def _words(label: str, chosen: int | str) -> str:
    return label or (chosen if isinstance(chosen, str) else f"class {chosen}")


def _check_feature(trace: Trace, feature: np.ndarray) -> None:
    shape = array(feature, "...", "The numbers of the feature", finite=False, empty=True).shape
    if shape != trace.output.shape:
        raise ModelError(
            f"The feature has shape {list(shape)}; {trace.model.name!r} returns {list(trace.output.shape)}: "
            "compare images as the same model sees them."
        )
    if not np.isfinite(feature).all() or not np.any(feature):
        raise ModelError("The feature is zero or not finite, so nothing can be compared with it.")
