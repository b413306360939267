"""Target specifications: a class, a difference of two classes, the image's own feature, or similarity to images.

A specification is small, comparable, and kept in the session; `target_of` makes the library's target from it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ....analysis.attribution import ClassTarget, DifferenceTarget, SimilarityTarget, Target
from ....analysis.attribution.targets import default_target
from ....analysis.predictions import class_name, predictions
from ...app import state
from ...app.cache import cached

MOST_IMAGES = 8  # per concept; each takes one forward pass


@dataclass(frozen=True)
class ClassSpec:
    """A class, or the difference of two classes."""

    index: int
    minus: int | None = None

    @property
    def key(self) -> tuple:
        """Cache key, the same for all users."""
        return "class", self.index, self.minus

    @property
    def unit(self) -> str:
        """Unit of the target's value."""
        return "logit" if self.minus is None else "difference of logits"

    @property
    def measured(self) -> str:
        """Quantity of the deletion and insertion curves, see `vitviz.analysis.attribution.faithfulness`."""
        return "probability" if self.minus is None else self.unit


@dataclass(frozen=True)
class ImageSpec:
    """Similarity to another image, or to the mean of several images of a concept."""

    images: tuple[state.Picked, ...]
    unit = measured = "cosine"

    @property
    def key(self) -> tuple:
        """Cache key by image content, the same for all users."""
        return "alike", *(picked.digest for picked in self.images)


@dataclass(frozen=True)
class OwnFeatureSpec:
    """The image's own feature, see `vitviz.analysis.attribution.targets.ProjectionTarget`."""

    key = ("own feature",)
    unit = measured = "projection"


TargetSpec = ClassSpec | ImageSpec | OwnFeatureSpec


def target_of(target: TargetSpec, choice: state.Choice) -> Target:
    """Return the library's target for a specification.

    Raises:
        ImageError: if one of the images cannot be used.
    """
    if isinstance(target, ImageSpec):
        others = tuple(replace(choice, picked=picked) for picked in target.images)
        return _similarity(tuple(other.key for other in others), similarity_label(target), others)
    if isinstance(target, OwnFeatureSpec):
        return default_target(state.trace(choice))
    model = state.trace(choice).model
    label = class_name(model, target.index)
    if target.minus is None:
        return ClassTarget(target.index, label)
    return DifferenceTarget(target.index, target.minus, (label, class_name(model, target.minus)))


@cached("Computing features of the other images …")
def _similarity(keys: tuple, label: str, _others: tuple[state.Choice, ...]) -> SimilarityTarget:
    return SimilarityTarget.of([state.trace(other) for other in _others], label)


def similarity_label(target: ImageSpec) -> str:
    """Describe the images to compare with."""
    names = [picked.name for picked in target.images]
    if len(names) == 1:
        return f"similarity to {names[0]}"
    return f"similarity to the mean of {len(names)} images: {', '.join(names)}"


def default_spec(choice: state.Choice) -> TargetSpec:
    """Return the default target: the most probable class; without classes, the image's own feature."""
    trace = state.trace(choice)
    return ClassSpec(predictions(trace, count=1)[0].index) if trace.model.is_classifier else OwnFeatureSpec()
