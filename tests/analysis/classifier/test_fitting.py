"""Linear classifiers are fitted as in scikit-learn."""

import numpy as np
import pytest

from tests.errors.test_public_errors import check_message
from tests.support.classifiers import examples, independent, logistic
from vitviz import ArgumentError
from vitviz.analysis.classifier import cross_validate, fit, nearest_other

SHAPES = {"more features than images": (24, 60), "more images than features": (40, 5), "as many": (20, 20)}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("penalty", [1.0, 0.01])
def test_it_is_fitted_as_scikit_learn_does(shape, classes, penalty):
    x, labels = examples(*SHAPES[shape], classes)
    new, _ = examples(9, SHAPES[shape][1], classes, seed=1)
    fitted, theirs = fit(x, labels, inverse_penalty=penalty), logistic(penalty).fit(x, labels)
    assert fitted.classes == tuple(theirs.classes_)
    assert fitted.weight.shape == (classes, SHAPES[shape][1])
    assert fitted.probabilities(new) == pytest.approx(theirs.predict_proba(new), abs=1e-4)
    assert fitted.probabilities(new).sum(axis=1) == pytest.approx(1)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("classes", [2, 3])
def test_binary_classifiers_are_fitted_as_scikit_learn_does(shape, classes):
    x, labels = examples(*SHAPES[shape], classes)
    new, _ = examples(9, SHAPES[shape][1], classes, seed=1)
    fitted, theirs = fit(x, labels, binary=True), logistic(binary=True).fit(x, labels)
    assert fitted.probabilities(new) == pytest.approx(independent(theirs, new), abs=1e-4)
    assert fitted.weight.shape == (classes, SHAPES[shape][1])


def test_a_feature_that_is_constant_has_no_weight():
    x, labels = examples(12, 20)
    x[:, 4] = 7.0
    fitted = fit(x, labels)
    assert np.abs(fitted.weight[:, 4]).max() < 1e-9
    assert fitted.probabilities(x) == pytest.approx(logistic().fit(x, labels).predict_proba(x), abs=1e-4)


def test_probabilities_of_extreme_logits_are_finite():
    x, labels = examples(12, 4)
    for binary in (False, True):
        fitted = fit(x, labels, binary=binary)
        with np.errstate(over="raise", invalid="raise", divide="raise"):
            shares = fitted.probabilities(1e6 * x)
        assert np.isfinite(shares).all()
        assert ((shares >= 0) & (shares <= 1)).all()


@pytest.mark.parametrize(
    ("x", "labels"),
    [
        (np.ones((3, 2)), ["a", "b"]),
        (np.ones((2, 2)), ["a", "a"]),
        (np.ones((2, 2)), [1, 2]),
        (np.ones(2), ["a", "b"]),
        (np.full((2, 2), np.nan), ["a", "b"]),
        (np.full((2, 2), 1e200), ["a", "b"]),
        (np.ones((0, 2)), []),
    ],
)
def test_wrong_examples_are_refused(x, labels):
    for function in (fit, cross_validate, nearest_other):
        with pytest.raises(ArgumentError) as caught:
            function(x, labels)
        check_message(caught.value)
