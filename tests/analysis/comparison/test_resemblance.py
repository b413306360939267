"""Resemblance of heads, divergence of attention, and places on grids that differ, against plain numpy and SciPy."""

import io
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.spatial.distance import jensenshannon

import vitviz
from vitviz.analysis.comparison import (
    attention_divergence,
    by_resemblance,
    counterparts,
    head_resemblance,
    jensen_shannon,
)
from vitviz.errors import ArgumentError, ModelError
from vitviz.ui.app import state


@pytest.fixture(scope="module")
def sizes(model):
    return [model.trace(state.samples()["cat"], size=size) for size in (112, 168)]


def test_the_divergence_is_that_of_scipy():
    random = np.random.default_rng(0)
    p, q = (random.dirichlet(np.full(9, 0.3), size=(4, 5)) for _ in range(2))
    p[0, 0, :4] = 0
    p[0, 0] /= p[0, 0].sum()
    np.testing.assert_allclose(jensen_shannon(p, q), jensenshannon(p, q, base=2, axis=-1) ** 2, atol=1e-9)
    assert jensen_shannon([1, 0], [0, 1]) == 1
    assert jensen_shannon([0.5, 0.5], [0.5, 0.5]) == 0


def test_no_distributions_are_refused():
    with pytest.raises(ArgumentError, match="shapes"):
        jensen_shannon([1, 0], [1, 0, 0])
    with pytest.raises(ArgumentError, match="negative"):
        jensen_shannon([1.5, -0.5], [1, 0])


def test_the_divergence_of_heads_is_the_mean_over_queries():
    run, image = vitviz.load_run("digits"), state.samples()["digit-4"]
    before, after = run.load(2).trace(image), run.load(7).trace(image)
    found = attention_divergence(before, after)
    p, q = before.attention(3, 1).astype(np.float64), after.attention(3, 1).astype(np.float64)
    assert found.shape == (before.layers, before.heads)
    assert found[3, 1] == pytest.approx((jensenshannon(p, q, base=2, axis=-1) ** 2).mean(), abs=1e-5)
    assert not attention_divergence(before, before).any()


def test_other_sizes_have_no_divergence_of_heads(sizes):
    with pytest.raises(ModelError, match="patches"):
        attention_divergence(*sizes)


def test_counterparts_contain_the_centre_of_each_patch(sizes):
    coarse, fine = sizes  # 8 x 8 and 12 x 12 patches of the same crop
    found = counterparts(coarse, fine).reshape(coarse.grid)
    rows = ((np.arange(8) + 0.5) / 8 * 12).astype(int)
    np.testing.assert_array_equal(found, rows[:, None] * 12 + rows)
    np.testing.assert_array_equal(counterparts(coarse, coarse), np.arange(64))


def test_counterparts_follow_the_crop_and_leave_out_the_padding(model):
    image = Image.new("RGB", (448, 224))
    cropped, padded = (model.trace(image, size=112, fit=fit) for fit in ("crop", "pad"))
    of_crop = counterparts(cropped, padded).reshape(8, 8)
    assert (of_crop >= 0).all()
    for row, column in ((0, 0), (5, 6)):
        box, (found_row, found_column) = (
            cropped.image.geometry.patch_box(row, column),
            divmod(of_crop[row, column], 8),
        )
        x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
        left, top, right, bottom = padded.image.geometry.patch_box(found_row, found_column)
        assert left <= x <= right
        assert top <= y <= bottom
    of_padded = counterparts(padded, cropped).reshape(8, 8)
    assert (of_padded[:2] == -1).all()
    assert (of_padded[2:6, :2] == -1).all()
    assert (of_padded[2:6, 2:6] >= 0).all()


def test_images_of_other_sizes_are_refused(model, sizes):
    other = model.trace(Image.new("RGB", (30, 20)), size=112)
    with pytest.raises(ArgumentError, match="different images"):
        counterparts(sizes[0], other)


@pytest.mark.parametrize("swap", [False, True])
def test_the_cosine_is_that_of_both_maps_on_the_coarser_grid(sizes, swap):
    coarse, fine = sizes
    place = counterparts(fine, coarse)
    weights = fine.attention(8, 2)[1:, 1:].astype(np.float64)
    on_coarse = np.zeros((64, 64))
    for query in range(64):
        for key in range(64):
            of_queries = weights[place == query]
            on_coarse[query, key] = of_queries[:, place == key].sum(axis=1).mean()
    own = coarse.attention(5, 4)[1:, 1:].astype(np.float64)
    expected = (own * on_coarse).sum() / np.linalg.norm(own) / np.linalg.norm(on_coarse)
    found = head_resemblance(coarse, fine, 5, 4)[8, 2] if not swap else head_resemblance(fine, coarse, 8, 2)[5, 4]
    assert found == pytest.approx(expected, abs=1e-5)


def test_a_head_resembles_itself_most(trace):
    cosine = head_resemblance(trace, trace, 8, 2)
    divergence = head_resemblance(trace, trace, 8, 2, measure="jensen_shannon")
    assert cosine.shape == divergence.shape == (12, 6)
    assert np.unravel_index(cosine.argmax(), cosine.shape) == (8, 2)
    assert np.unravel_index(divergence.argmin(), divergence.shape) == (8, 2)
    assert cosine[8, 2] == pytest.approx(1, abs=1e-6)
    assert divergence[8, 2] == pytest.approx(0, abs=1e-9)
    p, q = (trace.attention(*head)[1:, 1:].astype(np.float64) for head in ((8, 2), (3, 5)))
    assert divergence[3, 5] == pytest.approx((jensenshannon(p, q, base=2, axis=-1) ** 2).mean(), abs=1e-5)


def test_heads_are_in_the_order_of_their_resemblance():
    values = np.array([[0.2, 0.9], [0.9, 0.1]], np.float32)
    assert by_resemblance(values) == [(0, 1), (1, 0), (0, 0), (1, 1)]
    assert by_resemblance(values, "jensen_shannon", 2) == [(1, 1), (0, 0)]
    with pytest.raises(ArgumentError, match="measure"):
        by_resemblance(values, "distance")


def test_wrong_heads_and_measures_are_refused(small):
    trace = small.trace(torch.zeros(3, 32, 48))
    with pytest.raises(IndexError):
        head_resemblance(trace, trace, 0, 3)
    with pytest.raises(ArgumentError, match="measure"):
        head_resemblance(trace, trace, 0, 0, measure="distance")


def test_a_mirrored_image_is_another_image(model, tmp_path):
    image = Image.open(io.BytesIO(state.samples()["cat"]))
    original, mirrored = (model.trace(one) for one in (image, image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)))
    for refused in (counterparts, partial(head_resemblance, layer=1, head=1), vitviz.compare):
        with pytest.raises(ArgumentError, match="different images"):
            refused(original, mirrored)
    mirrored.save(tmp_path / "mirrored.trace")
    with pytest.raises(ArgumentError, match="different images"):
        counterparts(vitviz.open_trace(tmp_path / "mirrored.trace"), original)
    again = replace(mirrored, image=replace(mirrored.image, fingerprint=""))  # of a file of an earlier version
    assert len(counterparts(original, again)) == 256
