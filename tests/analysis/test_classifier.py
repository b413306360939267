"""Linear classifiers: fitting and cross-validation as in scikit-learn, features by hand, and signs of shortcuts."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import LeaveOneGroupOut, LeaveOneOut
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import vitviz
from tests.errors.test_public_errors import check_message
from tests.support.command_line import EIGHT, FOUR
from tests.support.facts import assert_mentions
from tests.support.image_files import noise
from tests.support.random_models import CONFIGS, PLAIN, trace_of
from vitviz import ArgumentError, ImageError, ModelError
from vitviz.analysis.classifier import (
    CrossValidation,
    appearance,
    cross_validate,
    features,
    fit,
    fit_head,
    nearest_other,
    notes_on,
)
from vitviz.analysis.predictions import predictions, probabilities
from vitviz.images import prepare, read_image
from vitviz.zoo.heads import attached, with_pooling

SHAPES = {"more features than images": (24, 60), "more images than features": (40, 5), "as many": (20, 20)}


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


# --- Fitting ---------------------------------------------------------------------------------------------------------


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


# --- Cross-validation ------------------------------------------------------------------------------------------------


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


def outcome(truth, shares):
    """Return a cross-validation with these classes and probabilities of the classes a, b, ..."""
    shares = np.array(shares, float)
    return CrossValidation(tuple("abcdefgh"[: shares.shape[1]]), np.array(truth), shares, len(truth))


def certain(truth, predicted, classes=2):
    """Return a cross-validation with these predictions."""
    return outcome(truth, 0.9 * np.eye(classes)[np.asarray(predicted, int)] + 0.1 / classes)


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


# --- Notes -----------------------------------------------------------------------------------------------------------


def pictures(colours, seed=0):
    """Prepared images of noise, each with a border of this colour."""
    found = []
    for i, colour in enumerate(colours):
        image = noise(64, 64, seed + i)
        image.paste(noise(40, 40, seed + i + 100), (12, 12))
        framed = Image.new("RGB", (64, 64), colour) if colour else image
        framed.paste(image.crop((12, 12, 52, 52)), (12, 12))
        found.append(prepare(read_image(framed), 64, 8))
    return found


def test_there_is_no_note_on_good_data():
    truth = np.arange(40) % 2
    result = certain(truth, truth)
    appearances = np.stack([appearance(image) for image in pictures([None] * 40)])
    assert notes_on(result) == ()
    assert notes_on(result, appearances) == ()


def test_few_images_are_noted():
    truth = np.array([0] * 3 + [1] * 12)
    (note,) = notes_on(certain(truth, truth))
    assert_mentions(note, 10, "a", 3)
    assert "“b”" not in note
    many = np.repeat(np.arange(6), 2)
    (note,) = notes_on(certain(many, many, 6))
    assert_mentions(note, "a", 2, "c", 2, 3)


def test_classes_that_are_alike_are_noted():
    truth = np.arange(60) % 3
    mixed = np.where(truth == 2, 2, np.arange(60) // 3 % 2)
    (note,) = notes_on(certain(truth, mixed, 3))
    assert_mentions(note, "a", "b", 20, 40)
    right = int((mixed == truth)[truth < 2].sum())
    assert_mentions(note, right, 40)


def test_a_rare_class_that_is_never_found_is_noted():
    truth = np.array([0] * 30 + [1] * 10)
    assert len(notes_on(certain(truth, np.zeros(40, int)))) == 1, "although 30 of 40 are right"
    assert notes_on(certain(truth, truth)) == ()
    two = np.array([0, 0, 1, 1])
    assert len(notes_on(certain(two, two))) == 1, "few, but not alike"


def test_a_shortcut_by_the_colour_of_the_border_is_noted():
    truth = np.arange(24) % 2
    result = certain(truth, truth)
    colours = [("darkgreen", "tan")[one] for one in truth]
    appearances = np.stack([appearance(image) for image in pictures(colours)])
    (note,) = notes_on(result, appearances)
    assert_mentions(note, 24, 24)
    with pytest.raises(ArgumentError):
        notes_on(result, appearances[:5])


def test_the_appearance_by_hand():
    (image,) = pictures(["#336699"])
    found = appearance(image)
    grey = image.pixels.astype(float).mean(axis=-1) / 255
    assert found[:3] == pytest.approx([0x33 / 255, 0x66 / 255, 0x99 / 255])
    assert found[3:] == pytest.approx([grey.mean(), grey.std()])
    inside = np.array(image.pixels)
    inside[12:52, 12:52] = 0
    assert appearance(replace(image, pixels=inside))[:3] == pytest.approx(found[:3])
    assert appearance(replace(image, pixels=image.pixels[..., :1])).shape == (3,)


def test_the_nearest_image_of_another_class():
    x = np.array([[1, 0], [3, 0.1], [0, 2], [1, 1], [-1, 0.5]])
    assert list(nearest_other(x, ["a", "a", "b", "b", "b"])) == [3, 3, 1, 1, 1]


# --- Features --------------------------------------------------------------------------------------------------------


def random_model(config, name="random", **options):
    """Return a model with random weights."""
    model = vitviz.VisionTransformer(config, name, **options)
    random = torch.Generator().manual_seed(5)
    for parameter in model.parameters():
        parameter.data = torch.randn(parameter.shape, generator=random) / 2
    return model.requires_grad_(False)


MODELS = {
    "plain": lambda: random_model(PLAIN, labels=tuple("abcde")),
    "with registers": lambda: random_model(replace(PLAIN, num_registers=2, num_classes=0)),
    "independent": lambda: random_model(PLAIN, output_kind="independent"),
    "mean with fc_norm": lambda: random_model(replace(PLAIN, pooling="mean", fc_norm=True, final_norm=False)),
    "mean of all": lambda: random_model(replace(PLAIN, pooling="mean", num_registers=1, pool_include_prefix=True)),
    "both": lambda: random_model(replace(PLAIN, pooling="token+mean")),
    **{kind: lambda kind=kind: trace_of(kind).model for kind in CONFIGS},
}


def layer_norm(x, norm):
    deviation = x - x.mean()
    scaled = deviation / np.sqrt((deviation**2).mean() + norm.eps)
    return scaled * norm.weight.numpy() + norm.bias.numpy()


def by_hand(model, image, pooling):
    """Compute the pooled feature from the tokens after the final norm, with numpy."""
    names = ("norm", "pool.out") if pooling == "attention" else ("norm",)
    trace = model.trace(image, record=names)
    tokens, own = trace.activation("norm").astype(np.float64), model.config.pooling == pooling
    first = 0 if own and model.config.pool_include_prefix else trace.prefix
    mean = tokens[first:].mean(axis=0)
    if pooling == "attention":
        return trace.activation("pool.out")
    feature = {"token": tokens[0], "mean": mean, "token+mean": np.concatenate([tokens[0], mean])}[pooling]
    return layer_norm(feature, model.fc_norm) if own and model.config.fc_norm else feature


def poolings(model):
    token = ["token", "token+mean"] if model.config.class_token else []
    return ["mean", *token, *(["attention"] if model.config.pooling == "attention" else [])]


@pytest.mark.parametrize("kind", MODELS)
def test_features_by_hand(kind):
    model, images = MODELS[kind](), [noise(48, 32, seed) for seed in range(3)]
    for pooling in poolings(model):
        found = features(model, images, pooling)
        assert found.dtype == np.float32
        expected = [by_hand(model, image, pooling) for image in images]
        assert found == pytest.approx(np.stack(expected), abs=2e-4), pooling
    own = "token" if kind == "distilled" else model.config.pooling
    assert np.array_equal(features(model, images), features(model, images, own))


def test_without_a_classifier_the_feature_is_the_output():
    model = random_model(replace(PLAIN, num_classes=0, pooling="mean"))
    images = [noise(48, 32), noise(50, 70)]
    expected = np.stack([model.trace(image).output for image in images])
    assert features(model, images) == pytest.approx(expected, abs=1e-5)


def test_images_of_all_sizes_and_batches():
    model = random_model(PLAIN)
    images = [noise(40 + 9 * i, 40, i) for i in range(20)]
    for options in ({}, {"size": 16}, {"fit": "native"}, {"fit": "native", "size": (16, 24)}, {"size": 160}):
        pooled = with_pooling(model)
        expected = [pooled.trace(image, **options).output for image in images]
        assert features(model, images, **options) == pytest.approx(np.stack(expected), abs=1e-4), options
    prepared = [prepare(read_image(image), 32, 8, "native") for image in images]
    tensors = [torch.zeros(3, 8, 8), torch.zeros(3, 16, 8)]
    assert len({one.pixels.shape for one in prepared}) > 1
    assert features(model, prepared).shape == (20, 24)
    assert features(model, tensors).shape == (2, 24)


def test_features_report_progress_and_can_stop():
    model, reports = random_model(PLAIN), []
    images = [noise(48, 32, seed) for seed in range(3)]
    features(model, images, size=320, progress=lambda *report: reports.append(report))
    assert reports == [(1, 3), (2, 3), (3, 3)], "large images go one by one"
    reports.clear()
    features(model, images, progress=lambda *report: reports.append(report))
    assert reports == [(3, 3)]


# --- Heads -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("kind", MODELS)
def test_a_head_predicts_as_it_was_fitted(kind, binary):
    model = MODELS[kind]()
    images, labels = [noise(48, 32, seed) for seed in range(9)], ["x", "y", "z"] * 3
    head = fit_head(model, images, labels, binary=binary, name="letters")
    fitted = fit(features(model, images), labels, binary=binary)
    taught = attached(model, head)
    expected = fitted.probabilities(features(model, images))
    for image, shares in zip(images, expected, strict=True):
        trace = taught.trace(image)
        assert probabilities(taught, trace.output) == pytest.approx(shares, abs=1e-4)
        assert predictions(trace, 1)[0].label == "xyz"[shares.argmax()]
    assert (head.labels, head.counts, head.model) == (("x", "y", "z"), (3, 3, 3), model.name)
    assert head.output_kind == ("independent" if binary else "classes")


def test_native_images_of_different_sizes():
    model = random_model(PLAIN)
    images = [noise(32 + 16 * (i % 3), 32, i) for i in range(6)]
    head = fit_head(model, images, ["a", "b"] * 3, fit="native", size=32)
    assert (head.preprocessing.fit, head.preprocessing.size) == ("native", 32)
    taught = attached(model, head)
    assert len({taught.trace(image).grid for image in images}) == 3
    right = sum(predictions(taught.trace(image), 1)[0].label == "ab"[i % 2] for i, image in enumerate(images))
    assert right == 6


def test_a_classifier_learns_new_classes():
    digits = vitviz.load("digits")
    head = fit_head(digits, [FOUR, EIGHT], ["vier", "acht"])
    taught = vitviz.load("digits", head=head)
    assert [predictions(taught.trace(image), 1)[0].label for image in (FOUR, EIGHT)] == ["vier", "acht"]
    assert predictions(digits.trace(FOUR), 1)[0].label == "4"


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"labels": ["a", "b", "c"]}, ArgumentError),
        ({"labels": ["a", "a"]}, ArgumentError),
        ({"labels": ["a", "<b>"]}, ModelError),
        ({"name": "<b>"}, ModelError),
        ({"pooling": "attention"}, ModelError),
        ({"size": 33}, ImageError),
        ({"size": 8000}, ImageError),
        ({"fit": "stretch"}, ImageError),
        ({"inverse_penalty": 0}, ArgumentError),
        ({"images": ["none.png", "none.png"]}, ImageError),
    ],
)
def test_wrong_lessons_are_refused(changes, error):
    given = {"images": [noise(48, 32), noise(48, 32, 1)], "labels": ["a", "b"]} | changes
    with pytest.raises(error) as caught:
        fit_head(random_model(PLAIN), **given)
    check_message(caught.value)


@pytest.mark.parametrize("wrong", [{"labels": ["a", "<b>"]}, {"name": ""}, {"labels": ["a", "a"]}])
def test_names_are_refused_before_the_features_are_computed(wrong, monkeypatch):
    def stop(*_, **__):
        pytest.fail("features were computed")

    monkeypatch.setattr("vitviz.analysis.classifier.fitting.features_of", stop)
    with pytest.raises(vitviz.VitvizError):
        fit_head(random_model(PLAIN), **{"images": [noise(48, 32)] * 2, "labels": ["a", "b"]} | wrong)
