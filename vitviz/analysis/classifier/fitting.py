"""Fitting of linear classifiers on features, by logistic regression.

Softmax regression for mutually exclusive classes, or one binary classifier for each class. Attribution maps of binary
classifiers depend more on the class (Gairola et al. 2025, "How to Probe", https://arxiv.org/abs/2503.00641, section 4).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.preprocessing import StandardScaler

from ...errors import ArgumentError
from ...errors.arguments import array, each_of_kind, number, typed
from ...errors.brief import brief
from ...errors.progress import Progress
from ...images import Size
from ...model.config import Pooling
from ...trace.inputs import ImageSource
from ...trace.saved_weights import fingerprint
from ...trace.vision_transformer import VisionTransformer
from ...zoo.heads import LinearHead, checked_labels, checked_name, preprocessing_of, with_pooling
from .features import features as features_of

INVERSE_PENALTY = 1.0  # C of scikit-learn
MOST_ITERATIONS = 2000
TOLERANCE = 1e-8  # of the gradient; probabilities are then exact to about six digits
LARGEST = 1e30  # feature; the variance of larger ones is beyond the range of numbers


@brief
@dataclass(frozen=True, eq=False)
class Fitted:
    """Linear classifier: logits = features @ weight.T + bias.

    Attributes:
        classes: class names, sorted.
        weight: float64 [class, feature].
        bias: float64 [class].
        binary: whether there is one binary classifier for each class (sigmoid), or one for all (softmax).
    """

    classes: tuple[str, ...]
    weight: np.ndarray
    bias: np.ndarray
    binary: bool

    def probabilities(self, features: np.ndarray) -> np.ndarray:
        """Return the probability of each class for features [image, feature]: float64 [image, class]."""
        logits = np.asarray(features, np.float64) @ self.weight.T + self.bias
        if self.binary:
            return 1 / (1 + np.exp(-np.clip(logits, -500, 500)))
        exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
        return exponentials / exponentials.sum(axis=1, keepdims=True)


@typed
def fit(
    features: np.ndarray, labels: Sequence[str], *, binary: bool = False, inverse_penalty: float = INVERSE_PENALTY
) -> Fitted:
    """Fit a linear classifier with scikit-learn: `StandardScaler`, then `LogisticRegression`.

    Args:
        features: float [image, feature].
        labels: class name of each image.
        binary: fit one binary classifier for each class instead of one for all.
        inverse_penalty: inverse of the L2 penalty, scikit-learn's `C`; smaller values mean smaller weights.

    Returns:
        The classifier; the scaling of the features is part of its weight and bias.

    Raises:
        ArgumentError: if the numbers of features and labels differ, or there are fewer than two classes.
    """
    features, labels = checked(features, labels)
    penalty = number(inverse_penalty, 1e-9, 1e9, "The inverse penalty")
    scaler = StandardScaler().fit(features)
    scaled = scaler.transform(features)
    # With fewer images than numbers, the weight lies in the span of the images, where fitting is faster.
    basis = np.linalg.qr(scaled.T)[0] if len(features) < features.shape[1] else None
    regression = LogisticRegression(C=penalty, max_iter=MOST_ITERATIONS, tol=TOLERANCE)
    estimator = OneVsRestClassifier(regression) if binary else regression
    estimator.fit(scaled if basis is None else scaled @ basis, labels)
    parts = estimator.estimators_ if binary else [estimator]
    weight, bias = (np.concatenate([getattr(one, name) for one in parts]) for name in ("coef_", "intercept_"))
    if len(bias) == 1:  # scikit-learn fits two classes as one, with one logit
        half = 1.0 if binary else 0.5
        weight, bias = np.concatenate([-half * weight, half * weight]), np.concatenate([-half * bias, half * bias])
    weight = (weight if basis is None else weight @ basis.T) / scaler.scale_
    return Fitted(tuple(map(str, estimator.classes_)), weight, bias - weight @ scaler.mean_, binary)


def checked(features: object, labels: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Check features and labels. Returns float64 [image, feature] and an array of text [image].

    Raises:
        ArgumentError: if they are invalid, differ in number, or have fewer than two classes.
    """
    features = array(features, "image, feature", "Features").astype(np.float64)
    if np.abs(features).max() > LARGEST:
        raise ArgumentError(f"Features must be numbers from -{LARGEST:g} to {LARGEST:g}; scale them.")
    _check_labels(len(features), labels)
    return features, np.array([*labels], dtype=object)


def _check_labels(images: int, labels: Sequence[str]) -> None:
    """Raise an `ArgumentError` if there is not one label for each image, or all are the same."""
    each_of_kind(labels, str, "labels")
    if images != len(labels):
        raise ArgumentError(f"There are {images} images and {len(labels)} labels; give one label for each image.")
    if len(set(labels)) < 2:
        raise ArgumentError("All images have the same label; give images of at least two classes.")


@typed
def fit_head(
    model: VisionTransformer,
    images: Sequence[ImageSource],
    labels: Sequence[str],
    *,
    name: str = "taught",
    pooling: Pooling | None = None,
    binary: bool = False,
    inverse_penalty: float = INVERSE_PENALTY,
    size: Size | None = None,
    fit: str | None = None,
    progress: Progress | None = None,
) -> LinearHead:
    """Teach a model new classes: fit a linear head on the features of images.

    Args:
        model: any model, such as `vitviz.load("dinov2-small")`; it is not changed.
        images: images as in `VisionTransformer.trace`, at least one of each class.
        labels: class name of each image.
        name: name of the head.
        pooling: pooling of the tokens to the feature, as in `vitviz.analysis.classifier.features`.
        binary: as in `vitviz.analysis.classifier.fit`.
        inverse_penalty: as in `vitviz.analysis.classifier.fit`.
        size: input size, as in `VisionTransformer.trace`.
        fit: fit of the images to that size, as in `VisionTransformer.trace`.
        progress: as in `vitviz.analysis.classifier.features`.

    Returns:
        The head. `vitviz.load(name, head=head)` loads the model with it, `head.save(path)` writes it to a file.

    Raises:
        ImageError: if an image, the size or the fit is invalid.
        ModelError: if the model does not have this pooling, or the name of the head or of a class is invalid.
        ArgumentError: if the numbers of images and labels differ, or there are fewer than two classes.
    """
    _check_labels(len(images), labels)  # before the features, which take longest
    checked_labels(sorted(set(labels)))
    checked_name(name)
    preprocessing_of(model, size, fit)
    found = features_of(model, images, pooling, size=size, fit=fit, progress=progress)
    fitted = _fit(found, labels, binary=binary, inverse_penalty=inverse_penalty)
    return head_of(model, fitted, labels, name=name, pooling=pooling, size=size, fit=fit)


_fit = fit  # `fit_head` has an argument of this name


def head_of(
    model: VisionTransformer,
    fitted: Fitted,
    labels: Sequence[str],
    *,
    name: str,
    pooling: Pooling | None = None,
    size: Size | None = None,
    fit: str | None = None,
    correct: int | None = None,
) -> LinearHead:
    """Return a fitted classifier as a head of a model; arguments as in `fit_head` and `LinearHead`."""
    return LinearHead(
        name=name,
        labels=fitted.classes,
        weight=fitted.weight,
        bias=fitted.bias,
        pooling=with_pooling(model, pooling).config.pooling,
        output_kind="independent" if fitted.binary else "classes",
        model=model.name,
        fingerprint=fingerprint(model),
        preprocessing=preprocessing_of(model, size, fit),
        counts=tuple(sum(label == one for label in labels) for one in fitted.classes),
        correct=correct,
    )
