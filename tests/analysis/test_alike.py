"""Why two images are alike: the terms of their patches sum to the cosine, and covering patches changes it likewise."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import spearmanr

import vitviz
from vitviz.analysis.alike import alike, is_sum_of_patches
from vitviz.analysis.attribution import SimilarityTarget, explain
from vitviz.errors import ModelError
from vitviz.ui.app import state
from vitviz.zoo.heads import with_pooling


def traces_of(model, names):
    return [model.trace(state.samples()[name]) for name in names]


def cosine(first, second):
    return float(first.output @ second.output / np.linalg.norm(first.output) / np.linalg.norm(second.output))


@pytest.mark.parametrize("pooling", ["mean", "token+mean"])
@pytest.mark.parametrize(("name", "images"), [("digits", ("digit-4", "digit-0")), ("dinov2-small", ("cat", "rocket"))])
def test_the_terms_of_all_tokens_sum_to_the_cosine(name, images, pooling):
    first, second = traces_of(with_pooling(vitviz.load(name), pooling), images)
    found = alike(first, second)
    assert found.kind == "sum"
    assert found.cosine == pytest.approx(cosine(first, second), abs=1e-6)
    for values, rest in zip(found.maps, found.rests, strict=True):
        assert values.sum() + rest == pytest.approx(found.cosine, abs=1e-5)
        assert (rest == 0) == (pooling == "mean")


@pytest.mark.parametrize(("name", "images"), [("digits", ("digit-4", "digit-0")), ("dinov2-small", ("cat", "rocket"))])
def test_leaving_a_patch_out_of_the_mean_changes_the_cosine_likewise(name, images):
    """Occlusion of the pooling: without a patch, the cosine drops the more, the larger its term is."""
    first, second = traces_of(with_pooling(vitviz.load(name), "mean"), images)
    found = alike(first, second)
    for values, trace, other in zip(found.maps, (first, second), (second, first), strict=True):
        tokens = trace.activations("norm")["norm"][trace.prefix :].astype(np.float64)
        others = (tokens.sum(axis=0) - tokens) / (len(tokens) - 1)
        without = others @ other.output / np.linalg.norm(others, axis=1) / np.linalg.norm(other.output)
        assert spearmanr(values.ravel(), found.cosine - without)[0] > 0.8


def test_an_attribution_of_the_similarity_is_like_occlusion():
    model = with_pooling(vitviz.load("digits"), "token")
    first, second = traces_of(model, ("digit-4", "digit-0"))
    found = alike(first, second)
    for values, trace, other in zip(found.maps, (first, second), (second, first), strict=True):
        target = SimilarityTarget(other.output, "the other")
        drops = explain(model, trace, method="occlusion", target=target).map
        assert spearmanr(values.ravel(), drops.ravel())[0] > 0.3


def test_other_poolings_get_an_attribution_of_the_similarity():
    model = with_pooling(vitviz.load("digits"), "token")
    first, second = traces_of(model, ("digit-4", "digit-0"))
    found = alike(first, second)
    assert not is_sum_of_patches(model.config)
    assert (found.kind, found.rests) == ("attribution", None)
    assert found.cosine == pytest.approx(cosine(first, second), abs=1e-6)
    assert [values.shape for values in found.maps] == [first.grid, second.grid]


def test_a_norm_of_the_mean_is_no_sum():
    config = vitviz.load("digits").config
    assert not is_sum_of_patches(replace(config, pooling="mean", fc_norm=True))
    assert is_sum_of_patches(replace(config, pooling="mean", fc_norm=False))


def test_models_with_classes_and_other_models_are_refused():
    digits = vitviz.load("digits")
    first, second = traces_of(digits, ("digit-4", "digit-0"))
    other = with_pooling(digits, "mean").trace(state.samples()["digit-0"])
    with pytest.raises(ModelError, match="classifier"):
        alike(first, second)
    with pytest.raises(ModelError, match="different"):
        alike(first, other)
    nothing = replace(other, output=np.zeros_like(other.output))
    with pytest.raises(ModelError, match="zero"):
        alike(other, nothing)
