"""Models with linear heads, and the refusal of heads that do not fit."""

from dataclasses import replace

import numpy as np
import pytest

import vitviz
from tests.support.facts import assert_mentions
from tests.support.head_refusals import refusal
from tests.support.heads import LABELS, head_for
from tests.support.image_files import noise
from tests.support.random_models import CONFIGS, trace_of
from vitviz import LinearHead, Preprocessing
from vitviz.analysis.predictions import predictions
from vitviz.images import FITS
from vitviz.zoo.heads import attached, with_pooling

PICTURE = noise(60, 40)


@pytest.fixture(scope="module")
def head(small):
    return head_for(small)


def feature_by_hand(trace, pooling):
    tokens = trace.activation("norm").astype(np.float64)
    mean = tokens[trace.prefix :].mean(axis=0)
    return {"token": tokens[0], "mean": mean, "token+mean": np.concatenate([tokens[0], mean])}[pooling]


@pytest.mark.parametrize("pooling", ["token", "mean", "token+mean"])
def test_the_logits_are_those_of_the_head(small, pooling):
    head = head_for(small, pooling)
    trace = attached(small, head).trace(PICTURE, record="norm")
    expected = head.weight @ feature_by_hand(trace, pooling) + head.bias
    assert trace.output == pytest.approx(expected, abs=1e-4)
    logits = np.exp(expected - expected.max())
    shares = [one.probability for one in sorted(predictions(trace, 3), key=lambda one: one.index)]
    assert shares == pytest.approx(logits / logits.sum(), abs=1e-5)


@pytest.mark.parametrize("kind", CONFIGS)
def test_models_of_every_kind_take_heads(kind):
    model = trace_of(kind).model
    head = head_for(model, output_kind="independent")
    taught = attached(model, head)
    trace = taught.trace(PICTURE)
    feature = with_pooling(model, head.pooling).trace(PICTURE).output.astype(np.float64)
    expected = head.weight @ feature + head.bias
    assert trace.output == pytest.approx(expected, abs=1e-4)
    best = predictions(trace, 1)[0]
    assert best.label == LABELS[int(expected.argmax())]
    assert best.probability == pytest.approx(1 / (1 + np.exp(-expected.max())), abs=1e-5)
    target = vitviz.explain(taught, trace, method="gradient_attention", target="glass")
    assert target.value == pytest.approx(expected[1], abs=1e-4)


def test_the_model_is_shared_and_unchanged(small):
    before = small.trace(PICTURE).output
    weights = {name: value.data_ptr() for name, value in small.named_parameters()}
    known = (small.config, small.name, small.labels, small.output_kind, small.preprocessing, small.head, small.notes)
    taught = attached(small, head_for(small, "mean"))
    assert taught.is_classifier
    assert (taught.labels, taught.config.num_classes, taught.config.pooling) == (LABELS, 3, "mean")
    assert_mentions(taught.name, small.name, "cups")
    shared = {name: value.data_ptr() for name, value in taught.named_parameters() if not name.startswith("head.")}
    assert shared == {name: weights[name] for name in shared}
    assert len(shared) == sum(not name.startswith("head.") for name in weights)
    assert not any(value.requires_grad for value in taught.parameters())
    after = (small.config, small.name, small.labels, small.output_kind, small.preprocessing, small.head, small.notes)
    assert known == after
    assert np.array_equal(small.trace(PICTURE).output, before)
    assert small.linear_head == ""
    assert taught.linear_head == head_for(small, "mean").digest
    assert with_pooling(taught).linear_head == ""


def test_assumptions_about_the_model_stay_known(small):
    model = vitviz.VisionTransformer(small.config, "assumed")
    model.notes = ("Heads assumed.",)
    model.set_preprocessing(model.preprocessing, ["Preprocessing assumed."])
    assert attached(model, head_for(model)).notes == ("Heads assumed.", "Preprocessing assumed.")


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("own", ["crop", "squash"])
def test_images_are_prepared_as_in_fitting(small, fit, own):
    """With the fits that were not used in training, the crop fraction does not apply."""
    model = vitviz.VisionTransformer(small.config, "cropped", Preprocessing(crop_fraction=0.8, fit=own))
    head = vitviz.fit_head(model, [PICTURE, noise(30, 50)], ["a", "b"], size=(32, 32), fit=fit)
    found = attached(model, head).trace(PICTURE).image
    expected = model.trace(PICTURE, size=(32, 32), fit=fit).image
    assert np.array_equal(found.pixels, expected.pixels)


def test_a_head_of_another_model_is_refused(small, head):
    other = trace_of("mean").model
    said = refusal(lambda: attached(other, head))
    assert_mentions(said, "cups", "small", other.name)
    changed = vitviz.VisionTransformer(small.config, "small", small.preprocessing)
    assert_mentions(refusal(lambda: attached(changed, head)), "cups", "small")
    refusal(lambda: attached(attached(small, head), head))


def test_a_feature_of_another_width_is_refused(small, head):
    wide = replace(head, weight=np.ones((3, 25)))
    assert_mentions(refusal(lambda: attached(small, wide)), "cups", 25, "small", 24)
    refusal(lambda: attached(small, replace(head, pooling="token+mean")))
    refusal(lambda: attached(small, replace(head, pooling="attention")))


def test_poolings_that_a_model_lacks_are_refused():
    without_token = trace_of("mean").model
    for pooling in ("token", "token+mean", "attention", "distilled"):
        refusal(lambda pooling=pooling: with_pooling(without_token, pooling))


def test_load_takes_a_head_or_its_file(tmp_path):
    digits = vitviz.load("digits")
    head = head_for(digits, "token+mean" if digits.config.class_token else "mean")
    head.save(tmp_path / "cups.safetensors")
    expected = attached(digits, head).trace(PICTURE)
    for given in (head, tmp_path / "cups.safetensors", str(tmp_path / "cups.safetensors")):
        model = vitviz.load("digits", head=given)
        assert model.labels == LABELS
        assert np.array_equal(model.trace(PICTURE).output, expected.output)
    assert vitviz.load("digits").labels == digits.labels
    refusal(lambda: vitviz.load("digits", head=3))
    refusal(lambda: vitviz.load("digits", head=tmp_path / "none.safetensors"))


def test_a_trace_of_a_taught_model_is_saved_with_it(small, head, tmp_path):
    taught = attached(small, head)
    trace = taught.trace(PICTURE)
    trace.save(tmp_path / "a.trace")
    opened = vitviz.open_trace(tmp_path / "a.trace", model=taught)
    assert [one.label for one in predictions(opened)] == [one.label for one in predictions(trace)]
    with pytest.raises(vitviz.TraceError):
        vitviz.open_trace(tmp_path / "a.trace", model=small)


def test_the_type_is_public():
    assert vitviz.LinearHead is LinearHead
