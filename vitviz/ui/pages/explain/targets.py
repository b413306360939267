"""Targets of an explanation: a class, one class and not another, the image's own feature, or why images are alike.

An aim is small and can be compared and kept in a session; the library's target is made from it when it is needed.
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
class OfClass:
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
class Alike:
    """Similarity to another image, or to the mean of several images of a concept."""

    images: tuple[state.Picked, ...]
    unit = measured = "cosine"

    @property
    def key(self) -> tuple:
        """What identifies it among all visitors: contents, whoever uploaded them."""
        return "alike", *(picked.digest for picked in self.images)


@dataclass(frozen=True)
class OwnFeature:
    """The feature of the image itself, see `vitviz.analysis.attribution.targets.ProjectionTarget`."""

    key = ("own feature",)
    unit = measured = "projection"


Aim = OfClass | Alike | OwnFeature


def target_of(aim: Aim, choice: state.Choice) -> Target:
    """What the library explains for this aim.

    Raises:
        ImageError: if one of the images cannot be used.
    """
    if isinstance(aim, Alike):
        others = tuple(replace(choice, picked=picked) for picked in aim.images)
        return _similarity(tuple(other.key for other in others), alike_words(aim), others)
    if isinstance(aim, OwnFeature):
        return default_target(state.trace(choice))
    model = state.trace(choice).model
    label = class_name(model, aim.index)
    if aim.minus is None:
        return ClassTarget(aim.index, label)
    return DifferenceTarget(aim.index, aim.minus, (label, class_name(model, aim.minus)))


@cached("Looking at the other images …")
def _similarity(keys: tuple, words: str, _others: tuple[state.Choice, ...]) -> SimilarityTarget:
    return SimilarityTarget.of([state.trace(other) for other in _others], words)


def alike_words(aim: Alike) -> str:
    """What the image is compared with, in words."""
    names = [picked.name for picked in aim.images]
    if len(names) == 1:
        return f"similarity to {names[0]}"
    return f"similarity to the mean of {len(names)} images: {', '.join(names)}"


def first_aim(choice: state.Choice) -> Aim:
    """Default target until the user chooses one: the likeliest class; without classes, the image's own feature."""
    trace = state.trace(choice)
    return OfClass(predictions(trace, count=1)[0].index) if trace.model.is_classifier else OwnFeature()
