"""Cross-validation is that of scikit-learn, and its figures are those computed by hand."""

import math

import numpy as np
import pytest
from sklearn.model_selection import LeaveOneGroupOut, LeaveOneOut

from tests.errors.test_public_errors import check_message
from tests.support.classifiers import certain, examples, independent, logistic, outcome
from tests.support.facts import assert_mentions
from vitviz import ArgumentError
from vitviz.analysis.classifier import cross_validate, fit


def left_out(x, labels, folds, binary=False):
    """Probabilities for each image by a classifier of scikit-learn that was fitted without its fold."""
    labels, found = np.array(labels), np.zeros((len(labels), len(set(labels))))
    for train, test in folds:
        theirs = logistic(binary=binary).fit(x[train], labels[train])
        found[test] = independent(theirs, x[test]) if binary else theirs.predict_proba(x[test])
    return found


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("classes", [2, 3])
def test_leave_one_out_is_that_of_scikit_learn(binary, classes):
    x, labels = examples(18, 30, classes, distance=0.4)
    result = cross_validate(x, labels, binary=binary)
    expected = left_out(x, labels, LeaveOneOut().split(x), binary)
    assert result.probabilities == pytest.approx(expected, abs=1e-4)
    assert result.is_leave_one_out
    truth = np.array([result.classes.index(label) for label in labels])
    right = expected.argmax(axis=1) == truth
    assert 0 < right.sum() < len(labels), "an easy or hopeless task would hide mistakes"
    assert (result.correct, result.accuracy) == (right.sum(), right.mean())
    assert (result.truth == truth).all()


def test_images_of_a_group_are_left_out_together():
    x, labels = examples(20, 30, 2)
    groups = [f"series {i // 4}" for i in range(20)]
    result = cross_validate(x, labels, groups=groups)
    expected = left_out(x, labels, LeaveOneGroupOut().split(x, groups=groups))
    assert result.probabilities == pytest.approx(expected, abs=1e-4)
    assert result.folds == 5
    assert not result.is_leave_one_out


def test_copies_of_an_image_are_only_found_out_with_groups():
    random = np.random.default_rng(0)
    x = np.repeat(random.normal(size=(10, 30)), 2, axis=0)
    labels = [label for label in random.permutation(["a", "b"] * 5) for _ in range(2)]
    assert cross_validate(x, labels).accuracy == 1
    assert cross_validate(x, labels, groups=[i // 2 for i in range(20)]).accuracy < 0.8


def test_many_images_are_left_out_in_200_folds(monkeypatch):
    calls = []

    def counted(x, labels, **options):
        calls.append(x)
        return fit(x, labels, **options)

    monkeypatch.setattr("vitviz.analysis.classifier.cross_validation.fit", counted)
    x, labels = examples(203, 2, distance=3)
    result = cross_validate(x, labels)
    assert (result.folds, len(calls), result.is_leave_one_out) == (200, 200, False)
    assert sorted(len(one) for one in calls)[:4] == [201, 201, 201, 202]
    assert result.probabilities.sum(axis=1) == pytest.approx(1)
    seen = [{tuple(row) for row in one} for one in calls]
    assert all(sum(tuple(row) in one for one in seen) == 199 for row in x), "each image is left out once"


def test_progress_is_reported_and_can_stop():
    x, labels = examples(12, 4)
    reports = []
    cross_validate(x, labels, progress=lambda *report: reports.append(report))
    assert reports == [(i, 12) for i in range(1, 13)]

    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cross_validate(x, labels, progress=stop)


@pytest.mark.parametrize(
    ("labels", "groups", "facts"),
    [
        (["a", "a", "b"], None, ("'b'",)),
        (["a", "a", "b", "b"], [1, 2, 3, 3], ("'b'", 2)),
        (["a", "a", "b", "b"], [1, 2, 3], (4, 3)),
        (["a", "a", "b", "b"], [[1], [2], [3], [4]], ()),
        (["a"] * 4, None, ()),
    ],
)
def test_what_cannot_be_left_out_is_refused(labels, groups, facts):
    with pytest.raises(ArgumentError) as caught:
        cross_validate(np.arange(2.0 * len(labels)).reshape(-1, 2), labels, groups=groups)
    check_message(caught.value)
    assert_mentions(str(caught.value), *facts)


def test_a_result_by_hand():
    result = outcome([0, 0, 1, 2], [[0.7, 0.2, 0.1], [0.1, 0.6, 0.3], [0.2, 0.7, 0.1], [0.3, 0.3, 0.4]])
    assert list(result.predicted) == [0, 1, 1, 2]
    assert (result.correct, result.accuracy) == (3, 0.75)
    assert result.confusion().tolist() == [[1, 1, 0], [0, 1, 0], [0, 0, 1]]
    assert list(result.least_certain()) == [1, 3, 0, 2]


@pytest.mark.parametrize(("correct", "count"), [(0, 6), (5, 6), (34, 36), (36, 36)])
def test_the_interval_is_wilsons(correct, count):
    """Wilson 1927: the accuracies p for which the measured one is within z standard errors sqrt(p (1 - p) / n)."""
    truth = np.zeros(count, int)
    low, high = certain(truth, np.arange(count) >= correct).interval()
    z, share = 1.959964, correct / count
    middle = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    half = z / (1 + z**2 / count) * math.sqrt(share * (1 - share) / count + z**2 / (4 * count**2))
    assert (low, high) == (
        pytest.approx(max(0, middle - half), abs=1e-6),
        pytest.approx(min(1, middle + half), abs=1e-6),
    )
    narrow = certain(truth, np.arange(count) >= correct).interval(0.5)
    assert low <= narrow[0] <= share <= narrow[1] <= high
    with pytest.raises(ArgumentError):
        certain(truth, truth).interval(95)
