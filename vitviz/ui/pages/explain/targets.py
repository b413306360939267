"""Targets of an explanation: a class, one class and not another, the image's own feature, or why images are alike.

An target is small and can be compared and kept in a session; the library's target is made from it when it is needed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ....analysis.attribution import ClassTarget, DifferenceTarget, SimilarityTarget, Target
from ....analysis.attribution.targets import default_target
from ....analysis.predictions import class_name, predictions
from ...app import state
from ...app.cache import cached

MOST_IMAGES = 8  # of a concept; each of them is one forward pass


@dataclass(frozen=True)
class ClassSpec:
    """A class; or one class minus another: why this and not that?"""

    index: int
    minus: int | None = None

    @property
    def key(self) -> tuple:
        """What identifies it among all visitors."""
        return "class", self.index, self.minus

    @property
    def unit(self) -> str:
        """What its value is."""
        return "score" if self.minus is None else "difference of scores"

    @property
    def measured(self) -> str:
        """What its value is while patches go and come, see `vitviz.analysis.attribution.faithfulness`."""
        return "probability" if self.minus is None else self.unit


@dataclass(frozen=True)
class ImageSpec:
    """Similarity to another image, or to the mean of several images of a concept."""

    images: tuple[state.Picked, ...]
    unit = measured = "cosine"

    @property
    def key(self) -> tuple:
        """What identifies it among all visitors: contents, whoever uploaded them."""
        return "alike", *(picked.digest for picked in self.images)


@dataclass(frozen=True)
class OwnFeatureSpec:
    """The feature of the image itself, see `vitviz.analysis.attribution.targets.ProjectionTarget`."""

    key = ("own feature",)
    unit = measured = "projection"


TargetSpec = ClassSpec | ImageSpec | OwnFeatureSpec


def target_of(target: TargetSpec, choice: state.Choice) -> Target:
    """What the library explains for this target.

    Raises:
        ImageError: if one of the images cannot be used.
    """
    if isinstance(target, ImageSpec):
        others = tuple(replace(choice, picked=picked) for picked in target.images)
        return _similarity(tuple(other.key for other in others), alike_words(target), others)
    if isinstance(target, OwnFeatureSpec):
        return default_target(state.trace(choice))
    model = state.trace(choice).model
    label = class_name(model, target.index)
    if target.minus is None:
        return ClassTarget(target.index, label)
    return DifferenceTarget(target.index, target.minus, (label, class_name(model, target.minus)))


@cached("Looking at the other images …")
def _similarity(keys: tuple, words: str, _others: tuple[state.Choice, ...]) -> SimilarityTarget:
    return SimilarityTarget.of([state.trace(other) for other in _others], words)


def alike_words(target: ImageSpec) -> str:
    """What the image is compared with, in words."""
    names = [picked.name for picked in target.images]
    if len(names) == 1:
        return f"similarity to {names[0]}"
    return f"similarity to the mean of {len(names)} images: {', '.join(names)}"


def default_spec(choice: state.Choice) -> TargetSpec:
    """Default target until the user chooses one: the likeliest class; without classes, the image's own feature."""
    trace = state.trace(choice)
    return ClassSpec(predictions(trace, count=1)[0].index) if trace.model.is_classifier else OwnFeatureSpec()
