"""Signs that a classifier is not to be trusted: few images, classes that look alike, and shortcuts.

A shortcut is a property that all images of a class share besides the object, such as the background or the brightness
(Geirhos et al. 2020, "Shortcut learning in deep neural networks", https://arxiv.org/abs/2004.07780).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
from scipy.stats import binomtest, fisher_exact
from sklearn.metrics import confusion_matrix

from ...errors.arguments import array, typed
from ...images import Prepared
from .cross_validation import CrossValidation, cross_validate
from .fitting import checked

FEW = 10  # images of a class
BORDER = 0.15  # width of the border around the image, relative to its sides
MOST_NOTES = 3  # of each kind


@typed
def appearance(image: Prepared) -> np.ndarray:
    """Describe an image without its content: mean colour of its border, brightness and contrast, float64 [number].

    Args:
        image: prepared image; padding is included.
    """
    pixels = image.pixels.astype(np.float64) / 255  # height width channel
    height, width = pixels.shape[:2]
    rows, columns = max(1, round(BORDER * height)), max(1, round(BORDER * width))
    is_border = np.ones((height, width), bool)
    is_border[rows : height - rows, columns : width - columns] = False
    grey = pixels.mean(axis=-1)
    return np.concatenate([pixels[is_border].mean(axis=0), [grey.mean(), grey.std()]])


@typed
def nearest_other(features: np.ndarray, labels: Sequence[str]) -> np.ndarray:
    """Return for each image the index of the most similar image of another class, by cosine, int [image].

    Raises:
        ArgumentError: as `fit`.
    """
    features, labels = checked(features, labels)
    unit = features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-12)
    similarity = unit @ unit.T
    similarity[labels[:, None] == labels[None]] = -np.inf
    return similarity.argmax(axis=1)


@typed
def notes_on(result: CrossValidation, appearances: np.ndarray | None = None) -> tuple[str, ...]:
    """Return sentences on what makes a classifier less trustworthy than its accuracy suggests.

    Args:
        result: cross-validation of the classifier.
        appearances: `appearance` of each image, [image, number]; None to leave out the check for shortcuts.

    Returns:
        Sentences; none if nothing was found.
    """
    notes = [*_few(result), *_alike(result)]
    if appearances is not None:
        notes += _shared(result, array(appearances, "image, number", "Appearances"))
    return tuple(notes)


def _few(result: CrossValidation) -> list[str]:
    counts = np.bincount(result.truth, minlength=len(result.classes))
    few = [f"“{name}” ({count})" for name, count in zip(result.classes, counts, strict=True) if count < FEW]
    if not few:
        return []
    listed = ", ".join(few[:MOST_NOTES]) + (f" and {len(few) - MOST_NOTES} more" if len(few) > MOST_NOTES else "")
    return [f"Fewer than {FEW} images: {listed}. More images make the classifier and this estimate more reliable."]


def _alike(result: CrossValidation) -> list[str]:
    """Return a sentence for each pair of classes that are not told apart better than by chance.

    Chance is tested with Fisher's exact test, which takes the numbers of images of both classes into account.
    """
    notes = []
    for first, second in combinations(range(len(result.classes)), 2):
        of_pair = np.isin(result.truth, (first, second))
        is_first = result.truth[of_pair] == first
        taken = result.probabilities[of_pair, first] > result.probabilities[of_pair, second]  # for the first
        right, count = int((taken == is_first).sum()), int(of_pair.sum())
        if right < count and fisher_exact(confusion_matrix(is_first, taken), alternative="greater").pvalue > 0.05:
            one, other = result.classes[first], result.classes[second]
            notes.append(
                f"“{one}” and “{other}” are not told apart reliably yet: {right} of {count} images are assigned to the "
                "right one of the two."
            )
    return notes[:MOST_NOTES]


def _shared(result: CrossValidation, appearances: np.ndarray) -> list[str]:
    """Return a sentence if colour, brightness and contrast alone predict the classes."""
    labels = [result.classes[index] for index in result.truth]
    alone = cross_validate(appearances, labels)
    chance = np.bincount(result.truth).max() / len(labels)
    if binomtest(alone.correct, len(labels), chance, alternative="greater").pvalue > 0.001:
        return []
    return [
        f"Colour of the border, brightness and contrast alone predict the class of {alone.correct} of {len(labels)} "
        "images, without the object. The classes may differ in their background or light: add images with others."
    ]
