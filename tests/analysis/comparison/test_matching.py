"""Matches of the patches of two images, against plain numpy."""

import numpy as np
import pytest
import torch

import vitviz
from vitviz.analysis.comparison import matching
from vitviz.errors import ArgumentError, ModelError
from vitviz.ui.app import state


def noise(model, seed, height=32, width=48):
    return model.trace(torch.randn(3, height, width, generator=torch.Generator().manual_seed(seed)))


def cosines(a, b):
    a, b = a.astype(np.float64), b.astype(np.float64)
    return (a @ b.T) / np.linalg.norm(a, axis=1)[:, None] / np.linalg.norm(b, axis=1)


@pytest.fixture(scope="module")
def images(model):
    return [model.trace(state.samples()[name]) for name in ("cat", "astronaut")]


@pytest.mark.parametrize("layer", [3, -1])
def test_matches_are_the_largest_cosine_similarities(images, layer):
    a, b = images
    found = vitviz.match(a, b, layer)
    table = cosines(a.tokens(layer)[a.prefix :], b.tokens(layer)[b.prefix :])
    assert found.layer == layer % a.layers
    np.testing.assert_allclose(found.similarity, table.max(axis=1), atol=1e-5)
    np.testing.assert_allclose(found.similarity_back, table.max(axis=0), atol=1e-5)
    np.testing.assert_allclose(table[np.arange(len(table)), found.best], table.max(axis=1), atol=1e-5)
    np.testing.assert_allclose(table[found.best_back, np.arange(table.shape[1])], table.max(axis=0), atol=1e-5)
    np.testing.assert_allclose(found.similarities(40), table[40].reshape(b.grid), atol=1e-5)


def test_mutual_nearest_neighbours_choose_each_other(images):
    a, b = images
    found = vitviz.match(a, b, 8)
    table = cosines(a.tokens(8)[a.prefix :], b.tokens(8)[b.prefix :])
    expected = {(i, j) for i, j in enumerate(table.argmax(axis=1)) if table[:, j].argmax() == i}
    pairs = found.mutual()
    assert {tuple(pair) for pair in pairs} == expected
    values = table[pairs[:, 0], pairs[:, 1]]
    assert (np.diff(values) <= 1e-6).all()
    threshold = float(np.median(values))
    kept = found.mutual(threshold)
    assert 0 < len(kept) < len(pairs)
    assert (table[kept[:, 0], kept[:, 1]] >= threshold - 1e-6).all()
    assert not len(found.mutual(1))


def test_equal_images_match_in_all_places_at_the_threshold_1(images):
    a, _ = images
    for layer in range(a.layers):
        assert len(vitviz.match(a, a, layer).mutual(1)) == a.grid[0] * a.grid[1]


def test_a_small_case_by_hand():
    a = np.array([[1, 0], [0, 1], [-1, 0]], np.float32)
    b = np.array([[0.8, 0.6], [0, 1]], np.float32)
    best, similarity, best_back, similarity_back = matching._nearest(a, b)
    assert best.tolist() == [0, 1, 1]
    np.testing.assert_allclose(similarity, [0.8, 1, 0], atol=1e-7)
    assert best_back.tolist() == [0, 1]
    np.testing.assert_allclose(similarity_back, [0.8, 1], atol=1e-7)


def test_rows_in_several_parts_give_the_same(images, monkeypatch):
    whole = vitviz.match(*images, 5)
    monkeypatch.setattr(matching, "ROWS_AT_ONCE", 50)
    parts = vitviz.match(*images, 5)
    for name in ("best", "similarity", "best_back", "similarity_back"):
        np.testing.assert_allclose(getattr(parts, name), getattr(whole, name), atol=1e-6)


def test_centred_similarities_are_those_of_differences_from_the_mean(images):
    a, b = images
    tokens = [trace.tokens(11)[trace.prefix :].astype(np.float64) for trace in images]
    mean = np.concatenate(tokens).mean(axis=0)
    found = vitviz.match(a, b, 11, centred=True)
    np.testing.assert_allclose(found.similarity, cosines(*(one - mean for one in tokens)).max(axis=1), atol=1e-5)


def test_an_image_matches_itself_and_grids_may_differ(small):
    one = noise(small, 1)
    found = vitviz.match(one, one, 2)
    assert found.best.tolist() == list(range(24))
    np.testing.assert_allclose(found.similarity, 1, atol=1e-6)
    other = noise(small, 2, 16, 24)
    found = vitviz.match(one, other, 2)
    assert (found.best.shape, found.best_back.shape, found.similarities(0).shape) == ((24,), (6,), other.grid)


def test_other_models_and_arguments_out_of_range_are_refused(small, images):
    one = noise(small, 1)
    with pytest.raises(ModelError, match="different models"):
        vitviz.match(one, images[0], 0)
    with pytest.raises(IndexError):
        vitviz.match(one, one, 3)
    with pytest.raises(ArgumentError):
        vitviz.match(one, one, 0).mutual(1.5)
    with pytest.raises(IndexError):
        vitviz.match(one, one, 0).similarities(24)
