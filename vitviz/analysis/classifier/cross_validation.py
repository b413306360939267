"""Cross-validation of linear classifiers: predictions for images that the classifier was not fitted on."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.stats import binomtest
from sklearn.metrics import confusion_matrix

from ...errors import ArgumentError
from ...errors.arguments import number, shown, typed
from ...errors.brief import brief
from ...errors.progress import Progress, silent
from .fitting import INVERSE_PENALTY, checked, fit

MOST_FITS = 200  # beyond, several images are left out together


@brief
@dataclass(frozen=True, eq=False)
class CrossValidation:
    """Predictions for each image by a classifier that was fitted without it.

    Attributes:
        classes: class names.
        truth: class index of each image, int [image].
        probabilities: float64 [image, class].
        folds: number of classifiers that were fitted.
    """

    classes: tuple[str, ...]
    truth: np.ndarray
    probabilities: np.ndarray
    folds: int

    @property
    def is_leave_one_out(self) -> bool:
        """True if each classifier was fitted on all images but one."""
        return self.folds == len(self.truth)

    @cached_property
    def predicted(self) -> np.ndarray:
        """Predicted class index of each image, int [image]."""
        return self.probabilities.argmax(axis=1)

    @property
    def correct(self) -> int:
        """Number of images whose class was predicted correctly."""
        return int((self.predicted == self.truth).sum())

    @property
    def accuracy(self) -> float:
        """Fraction of correct predictions."""
        return self.correct / len(self.truth)

    def interval(self, confidence: float = 0.95) -> tuple[float, float]:
        """Return the Wilson score interval of the accuracy (Wilson 1927, "Probable inference").

        It treats the images as independent; the predictions share most of their training images, so the true
        uncertainty is somewhat larger.

        Args:
            confidence: probability that the interval contains the true accuracy, 0 to 1.

        Raises:
            ArgumentError: if the confidence is not from 0 to 1.
        """
        confidence = number(confidence, 0, 1, "The confidence")
        interval = binomtest(self.correct, len(self.truth)).proportion_ci(confidence, method="wilson")
        return float(interval.low), float(interval.high)

    def confusion(self) -> np.ndarray:
        """Return the number of images by true and predicted class, int [class, class]."""
        return confusion_matrix(self.truth, self.predicted, labels=range(len(self.classes)))

    def least_certain(self) -> np.ndarray:
        """Return the indices of all images by the probability of their true class, lowest first."""
        return np.argsort(self.probabilities[np.arange(len(self.truth)), self.truth], kind="stable")


@typed
def cross_validate(
    features: np.ndarray,
    labels: Sequence[str],
    *,
    binary: bool = False,
    inverse_penalty: float = INVERSE_PENALTY,
    groups: Sequence[Hashable] | None = None,
    progress: Progress | None = None,
) -> CrossValidation:
    """Predict each image with a classifier fitted without it: leave-one-out, or 200 folds for more than 200 images.

    Args:
        features: as in `fit`.
        labels: as in `fit`; each class needs at least two images, in at least two groups.
        binary: as in `fit`.
        inverse_penalty: as in `fit`.
        groups: group of each image; images of one group, such as a series of the camera, are left out together.
        progress: function called with the number of classifiers fitted and in total. An exception that it raises stops
            the computation.

    Raises:
        ArgumentError: as `fit`, if the number of groups is not that of the images, or if all images of a class are left
            out together.
    """
    features, labels = checked(features, labels)
    fold, classes = _folds(labels, range(len(labels)) if groups is None else groups), tuple(sorted(set(labels)))
    _check_folds(labels, fold)
    probabilities, report = np.zeros((len(labels), len(classes))), progress or silent
    count = int(fold.max()) + 1
    for index in range(count):
        left_out = fold == index
        fitted = fit(features[~left_out], labels[~left_out].tolist(), binary=binary, inverse_penalty=inverse_penalty)
        probabilities[left_out] = fitted.probabilities(features[left_out])
        report(index + 1, count)
    truth = np.array([classes.index(label) for label in labels])
    return CrossValidation(classes, truth, probabilities, count)


def _folds(labels: np.ndarray, groups: Sequence[Hashable]) -> np.ndarray:
    """Return the fold of each image: one for each group, at most `MOST_FITS`, with classes spread over the folds.

    Raises:
        ArgumentError: if there is not one group for each image.
    """
    if len(groups) != len(labels):
        raise ArgumentError(f"There are {len(labels)} images and {len(groups)} groups; give one group for each image.")
    if not all(isinstance(group, Hashable) for group in groups):
        raise ArgumentError("Each group must be a number, a text or another hashable value.")
    order = sorted(range(len(labels)), key=lambda i: (labels[i], i))
    numbers: dict[Hashable, int] = {}
    for i in order:
        numbers.setdefault(groups[i], len(numbers))
    return np.array([numbers[group] % MOST_FITS for group in groups])


def _check_folds(labels: np.ndarray, fold: np.ndarray) -> None:
    """Raise an `ArgumentError` if a class would be missing when a fold is left out."""
    for name in sorted(set(labels)):
        of_class = labels == name
        if len(set(fold[of_class])) > 1:
            continue
        count = int(of_class.sum())
        held = "one image" if count == 1 else f"{count} images, which are left out together"
        raise ArgumentError(
            f"The class {shown(name)} has only {held}; add images, because the others must still contain this class."
        )
