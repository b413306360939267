"""Heads fitted on the user's classes, and their cross-validation.

Results for all users are computed with the ranks of the classes as labels ("0", "1", ...), so that they do not contain
the names, which may be personal.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np
import streamlit as st

from .... import zoo
from ....analysis import classifier
from ....analysis.classifier import CrossValidation, Fitted
from ....analysis.classifier.fitting import head_of
from ....zoo.heads import LinearHead
from ...app import cache
from ...app.jobs import background
from ...app.jobs.queue import Job
from ...app.turns import one_at_a_time
from . import image_features
from .collection import TaughtClass, TaughtImage
from .image_features import FeatureSetup
from .settings import BINARY, NAME

LEAST_MEASURED = 2  # images of each class, one of which is left out
_NOTES = "teach_notes"  # key in the session: the last notes, with the key of their classes and the names


@dataclass(frozen=True)
class TaughtSet:
    """Images with their classes, sorted by name as in the library; classes without images are left out.

    Attributes:
        setup: model and preprocessing.
        binary: whether the heads are binary.
        names: class names, sorted.
        images: all images.
        ranks: index in `names` of the class of each image.
    """

    setup: FeatureSetup
    binary: bool
    names: tuple[str, ...]
    images: tuple[TaughtImage, ...]
    ranks: tuple[int, ...]

    @cached_property
    def key(self) -> tuple:
        """Cache key, which contains no names."""
        series = self.groups or ()
        return self.setup.key, self.binary, tuple(image.digest for image in self.images), self.ranks, series

    @property
    def labels(self) -> list[str]:
        """Class name of each image."""
        return [self.names[rank] for rank in self.ranks]

    @property
    def counts(self) -> tuple[int, ...]:
        """Number of images of each class."""
        found = Counter(self.ranks)
        return tuple(found[rank] for rank in range(len(self.names)))

    @cached_property
    def groups(self) -> tuple[str, ...] | None:
        """Group of each image: images of one series of the camera are left out together.

        None if there are no series, or if a class consists of one.
        """
        groups = tuple(image.series or image.digest for image in self.images)
        fewest = min(len({groups[i] for i in self._places(rank)}) for rank in range(len(self.names)))
        return None if fewest < 2 or len(set(groups)) == len(groups) else groups

    @property
    def series_alone(self) -> list[str]:
        """Names of the classes whose images are all from one series of the camera."""
        series = [{self.images[i].series for i in self._places(rank)} for rank in range(len(self.names))]
        return [name for name, found in zip(self.names, series, strict=True) if len(found) == 1 and "" not in found]

    @property
    def can_be_fitted(self) -> bool:
        """Return True if there are images of at least two classes."""
        return len(self.names) >= 2

    @property
    def can_be_measured(self) -> bool:
        """Return True if an image of each class can be left out."""
        return self.can_be_fitted and min(self.counts) >= LEAST_MEASURED

    def _places(self, rank: int) -> list[int]:
        return [i for i, one in enumerate(self.ranks) if one == rank]


@dataclass(frozen=True, eq=False)
class Measured:
    """Cross-validation of a head.

    Attributes:
        result: predictions for the images that were left out, with the ranks of the classes as names.
        appearances: `vitviz.analysis.classifier.appearance` of each image, [image, number].
    """

    result: CrossValidation
    appearances: np.ndarray


def set_of(setup: FeatureSetup, classes: tuple[TaughtClass, ...]) -> TaughtSet:
    """Return the images of all classes that have some."""
    filled = sorted((one for one in classes if one.images), key=lambda one: one.name)
    images = tuple(image for one in filled for image in one.images)
    ranks = tuple(rank for rank, one in enumerate(filled) for _ in one.images)
    return TaughtSet(setup, BINARY.get(), tuple(one.name for one in filled), images, ranks)


def fitted(taught: TaughtSet, features: np.ndarray) -> Fitted:
    """Return the linear classifier, with the ranks of the classes as names."""

    def fit() -> Fitted:
        with one_at_a_time.first():
            return classifier.fit(features, list(map(str, taught.ranks)), binary=taught.binary)

    return cache.results.get_or_compute(("fit", *taught.key), fit)


def head(taught: TaughtSet, features: np.ndarray, measured: Measured | None = None) -> LinearHead:
    """Return the head with the names of the classes, and the number of correct predictions if it was measured."""
    found = fitted(taught, features)

    def make() -> LinearHead:
        setup, ranks = taught.setup, list(map(str, taught.ranks))
        options = {"pooling": setup.pooling, "size": setup.size, "fit": setup.fit}
        return head_of(zoo.shared(setup.model), found, ranks, name="taught", **options)

    ranked = cache.results.get_or_compute(("head", *taught.key), make)
    correct = None if measured is None else measured.result.correct
    return replace(ranked, name=NAME.get().strip(), labels=taught.names, correct=correct)


def known(taught: TaughtSet) -> Measured | None:
    """Return the cross-validation if it is known."""
    return cache.results.get(_key(taught))


def measuring(taught: TaughtSet, features: np.ndarray) -> background.Step:
    """Return the step that cross-validates the classifier."""
    return background.Step(
        _key(taught),
        partial(_measure, taught, features),
        describe=lambda job: f"Test on left-out images: {job.done} of {job.total}",
    )


def with_names(measured: Measured, taught: TaughtSet) -> CrossValidation:
    """Return the cross-validation with the names of the classes."""
    return replace(measured.result, classes=taught.names)


def notes(measured: Measured, taught: TaughtSet) -> tuple[str, ...]:
    """Return the notes of the library, see `vitviz.analysis.classifier.notes_on`, and one on series of the camera."""
    key = taught.key, taught.names
    before, found = st.session_state.get(_NOTES, (None, ()))
    if before != key:
        with one_at_a_time:
            found = classifier.notes_on(with_names(measured, taught), measured.appearances)
        alone = [f"“{name}”" for name in taught.series_alone]
        if alone:
            found += (
                f"All images of one series of the camera: {', '.join(alone)}. They are alike, so the accuracy is too "
                "high; add images of other objects or places.",
            )
        st.session_state[_NOTES] = key, found
    return found


def _measure(taught: TaughtSet, features: np.ndarray, job: Job) -> Measured:
    """Cross-validate; may run in any thread."""
    ranks = list(map(str, taught.ranks))
    result = classifier.cross_validate(features, ranks, binary=taught.binary, groups=taught.groups, progress=job)
    inputs = (image_features.prepared(taught.setup, image.picked) for image in taught.images)
    return Measured(result, np.stack([classifier.appearance(image) for image in inputs]))


def _key(taught: TaughtSet) -> tuple:
    return "cross-validation", *taught.key
