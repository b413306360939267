"""Examples for linear classifiers, scikit-learn's classifiers for them, and made-up results of a cross-validation."""

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from vitviz.analysis.classifier import CrossValidation


def examples(images, dimensions, classes=3, seed=0, distance=1.0):
    """Features of overlapping classes, with scales that differ by feature, and labels."""
    random = np.random.default_rng(seed)
    truth = np.arange(images) % classes
    centres = distance * random.normal(size=(classes, dimensions))
    scale = np.exp(random.normal(size=dimensions))
    return (centres[truth] + random.normal(size=(images, dimensions))) * scale + 3, [f"class {one}" for one in truth]


def logistic(penalty=1.0, binary=False):
    regression = LogisticRegression(C=penalty, tol=1e-9, max_iter=10_000)
    return make_pipeline(StandardScaler(), OneVsRestClassifier(regression) if binary else regression)


def independent(pipeline, x):
    """Probabilities of binary classifiers, which `predict_proba` would scale to a sum of 1."""
    scaled, classifier = pipeline[0].transform(x), pipeline[1]
    columns = [one.predict_proba(scaled)[:, 1] for one in classifier.estimators_]
    return np.stack([1 - columns[0], *columns] if len(columns) == 1 else columns, axis=1)


def outcome(truth, shares):
    """Return a cross-validation with these classes and probabilities of the classes a, b, ..."""
    shares = np.array(shares, float)
    return CrossValidation(tuple("abcdefgh"[: shares.shape[1]]), np.array(truth), shares, len(truth))


def certain(truth, predicted, classes=2):
    """Return a cross-validation with these predictions."""
    return outcome(truth, 0.9 * np.eye(classes)[np.asarray(predicted, int)] + 0.1 / classes)
