"""Features of images by hand, and heads fitted on them."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import vitviz
from tests.errors.test_public_errors import check_message
from tests.support.command_line import EIGHT, FOUR
from tests.support.image_files import noise
from tests.support.random_models import CONFIGS, PLAIN, trace_of
from vitviz import ArgumentError, ImageError, ModelError
from vitviz.analysis.classifier import features, fit, fit_head
from vitviz.analysis.predictions import predictions, probabilities
from vitviz.images import prepare, read_image
from vitviz.zoo.heads import attached, with_pooling


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
