"""Analysis of tokens: hand calculations and invariants."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import vitviz
from tests.support import random_models as kinds
from tests.support.explained_traces import explained
from vitviz.analysis import tokens
from vitviz.analysis.tokens.projection import perplexity
from vitviz.analysis.tokens.token_norms import NUM_STDS, TIMES
from vitviz.notation.view import View
from vitviz.ui.pages.tokens import outlier_warning
from vitviz.viz.layer_lines import Line, over_layers

# Four points whose mean is (1, 2): two at a distance of 4 along (0.6, 0.8), two at a distance of 1 at right angles.
CROSS = np.array([1.0, 2.0]) + np.array([[2.4, 3.2], [-2.4, -3.2], [0.8, -0.6], [-0.8, 0.6]])


@pytest.fixture(scope="module")
def stages(trace):
    return tokens.stream(trace)


# ---------------------------------------------------------------- principal components


def test_components_of_a_cross_by_hand():
    found = tokens.principal(CROSS, 2)
    np.testing.assert_allclose(found.mean, [1, 2])
    np.testing.assert_allclose(found.axes, [[0.6, 0.8], [0.8, -0.6]], atol=1e-12)
    np.testing.assert_allclose(found.explained, [32 / 34, 2 / 34])
    np.testing.assert_allclose(found.scores(CROSS), [[4, 0], [-4, 0], [0, 1], [0, -1]], atol=1e-6)


def test_few_points_of_many_dimensions_have_the_same_components():
    points = np.random.default_rng(0).normal(size=(7, 40))
    wide, tall = tokens.principal(points, 3), tokens.principal(np.concatenate([points] * 8), 3)
    np.testing.assert_allclose(wide.axes, tall.axes, atol=1e-9)
    np.testing.assert_allclose(wide.explained, tall.explained, atol=1e-9)
    np.testing.assert_allclose(wide.axes @ wide.axes.T, np.eye(3), atol=1e-9)


def test_the_sign_does_not_depend_on_the_order_of_the_points():
    points = np.random.default_rng(1).normal(size=(30, 5))
    axes = tokens.principal(points).axes
    np.testing.assert_allclose(tokens.principal(points[::-1]).axes, axes, atol=1e-9)
    assert (axes[np.arange(3), np.abs(axes).argmax(axis=1)] > 0).all()


def test_points_without_variance_have_no_components():
    for points in (np.ones((5, 4)), np.ones((2, 9)), np.ones((1, 3))):
        found = tokens.principal(points)
        assert not found.axes.any()
        assert not found.explained.any()
        assert not found.scores(points).any()


@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize("split", [False, True])
def test_explained_shares_and_colours_of_every_layer(trace, stages, together, split):
    patches = stages[1:, trace.prefix :]
    found = tokens.pca_of_layers(patches, together=together, grid=trace.grid if split else None)
    assert found.scores.shape == (12, 256, 3)
    assert (found.explained >= 0).all()
    assert (found.explained.sum(axis=1) <= 1 + 1e-9).all()
    assert found.foreground.all() == (not split)
    assert np.isnan(found.scores[~found.foreground]).all()
    if not together:
        assert (np.diff(found.explained, axis=1) <= 1e-9).all(), "the widest direction comes first"
    for layer in (0, 11):
        colours = found.colours(layer)
        assert not colours[~found.foreground[layer]].any(), "background is black"
        if not together:
            assert (colours[found.foreground[layer]].min(axis=0) == 0).all()
            assert (colours[found.foreground[layer]].max(axis=0) == 255).all()


def test_one_layer_is_explained_as_numpy_says(trace, stages):
    patches = stages[12, trace.prefix :].astype(np.float64)
    squares = np.linalg.svd(patches - patches.mean(axis=0), compute_uv=False) ** 2
    found = tokens.pca_of_layers(stages[1:, trace.prefix :])
    np.testing.assert_allclose(found.explained[11], squares[:3] / squares.sum(), rtol=1e-5)


def test_layers_weigh_the_same_when_fitted_together():
    random = np.random.default_rng(2)
    layers = random.normal(size=(2, 50, 4)) * [4, 3, 2, 1]
    found = tokens.pca_of_layers(layers, together=True)
    shifted = tokens.pca_of_layers(layers * np.array([1, 1000])[:, None, None] + 7, together=True)
    np.testing.assert_allclose(shifted.scores, found.scores, atol=1e-4)
    np.testing.assert_allclose(found.ends(0), found.ends(1))


def test_the_foreground_is_the_side_with_less_of_the_edge():
    grid = (5, 5)
    inner = np.zeros(grid, bool)
    inner[1:4, 1:4] = True
    random = np.random.default_rng(3)
    patches = np.where(inner.reshape(-1, 1), 5.0, -5.0) * [1, 0, 0, 0] + random.normal(size=(25, 4))
    for flipped in (patches, -patches):
        found = tokens.pca_of_layers(flipped[None], grid=grid)
        assert (found.foreground[0] == inner.ravel()).all()
        assert (tokens.pca_of_layers(flipped[None], grid=grid, swap=True).foreground[0] == ~inner.ravel()).all()


def test_patches_that_are_all_alike_are_no_background():
    found = tokens.pca_of_layers(np.ones((2, 12, 5)), grid=(3, 4))
    assert found.foreground.all()
    assert (found.colours(0) == 128).all(), "in the middle of each colour"


def test_colours_by_hand():
    scores = np.array([[0, 5, 10], [-1, 10, np.nan]])
    np.testing.assert_array_equal(tokens.colours(scores, np.zeros(3), np.full(3, 10.0)), [[0, 128, 255], [0, 255, 0]])


# ---------------------------------------------------------------- similarity


def test_cosines_by_hand():
    points = np.array([[3.0, 4.0], [4.0, 3.0], [-6.0, -8.0], [0.0, 0.0]])
    expected = [[1, 0.96, -1, 0], [0.96, 1, -0.96, 0], [-1, -0.96, 1, 0], [0, 0, 0, 0]]
    np.testing.assert_allclose(tokens.similarity(points), expected, atol=1e-6)
    np.testing.assert_allclose(tokens.similarity(points, 1), expected[1], atol=1e-6)
    two = np.array([[1.0, 5.0], [3.0, 5.0]])
    np.testing.assert_allclose(tokens.similarity(two, centred=True), [[1, -1], [-1, 1]], atol=1e-6)


@pytest.mark.parametrize("centred", [False, True])
def test_a_token_is_most_like_itself(stages, centred):
    found = tokens.similarity(stages[12], centred=centred)
    np.testing.assert_allclose(np.diag(found), 1, atol=1e-5)
    np.testing.assert_allclose(found, found.T, atol=1e-6)
    assert np.abs(found).max() <= 1


# ---------------------------------------------------------------- norms and outliers


def test_the_stream_is_what_the_trace_says(trace, stages):
    assert stages.shape == (13, 257, 384)
    np.testing.assert_array_equal(stages[0], trace.activation("blocks.0.resid_pre"))
    np.testing.assert_array_equal(stages[4], trace.tokens(3))
    np.testing.assert_allclose(tokens.norms(stages)[4, 7] ** 2, (trace.tokens(3)[7] ** 2).sum(), rtol=1e-5)


def test_the_rule_by_hand():
    lengths = np.array([100.0, 1, 2, 3, 4, 100])  # one prefix token; median 3, deviations 2, 1, 0, 1, 97
    found = tokens.outliers_in(lengths, 1)
    assert (found.median, found.std) == (3, pytest.approx(1.4826))
    assert found.threshold == pytest.approx(max(TIMES * 3, 3 + NUM_STDS * 1.4826))
    assert found.tokens == (5,)
    assert tokens.outliers_in(lengths, 1, times=40).tokens == ()
    assert tokens.outliers_in(lengths, 0, times=1.0, num_stds=0.0).tokens == (0, 5, 4)


def test_norms_that_hardly_differ_have_no_outliers():
    assert tokens.outliers_in(np.array([10.0] * 20 + [10.5]), 0).tokens == ()


def planted(model, places: dict[int, float]):
    """Return an edit that increases the norms of some tokens after the first block."""

    def longer(x):
        factors = torch.ones(x.shape[1])
        for token, factor in places.items():
            factors[token] = factor
        return x * factors[:, None]

    return vitviz.edit({"blocks.0.resid_post": longer})


def test_a_planted_outlier_is_found_where_it_is(model, photo):
    assert tokens.outliers(model.trace(photo), 0).tokens == ()
    with planted(model, {41: 12.0, 200: 9.0, 0: 50.0}):
        trace = model.trace(photo, record=("blocks.0.resid_post",))
    found = tokens.outliers(trace, 0)
    assert found.tokens == (41, 200), "the longest first; the class token is none"
    assert found.norms.shape == (256,)


@pytest.mark.parametrize("layer", [12, -13])
def test_there_are_no_outliers_of_a_layer_that_is_not_there(trace, layer):
    with pytest.raises(IndexError, match="layer"):
        tokens.outliers(trace, layer)


def test_the_shipped_models_have_no_registers_of_their_own(trace, stages):
    """Check the finding of Darcet et al. (figure 4) on small models, which the page mentions."""
    lengths = tokens.norms(stages)
    assert not any(tokens.outliers_in(of_layer, trace.prefix).tokens for of_layer in lengths)
    digit = explained("digits")
    assert not any(tokens.outliers_in(of, digit.prefix).tokens for of in tokens.norms(tokens.stream(digit)))


def test_attention_shares_against_explicit_matrices(trace):
    weights = trace.attention(5)  # head query key
    np.testing.assert_allclose(
        tokens.attention_share(trace, 5, (3, 40)), weights[:, :, [3, 40]].sum(2).mean(1), rtol=1e-4
    )
    np.testing.assert_allclose(tokens.attention_share(trace, 5, range(257)), 1, rtol=1e-5)
    assert not tokens.attention_share(trace, 5, ()).any()
    np.testing.assert_allclose(tokens.attention_share(trace, 5, (-1, 256)), tokens.attention_share(trace, 5, (256,)))
    with pytest.raises(IndexError, match="token"):
        tokens.attention_share(trace, 5, (257,))


def test_weights_with_signs_count_by_their_size():
    trace = kinds.trace_of("differential")
    weights = np.abs(trace.attention(1))
    expected = weights.sum(1) / weights.sum((1, 2))[:, None]
    np.testing.assert_allclose(tokens.received(trace, 1), expected, rtol=1e-4)


# ---------------------------------------------------------------- points on a plane


def test_a_plane_of_components_keeps_distances(stages):
    np.testing.assert_allclose(np.abs(tokens.project(CROSS)), [[4, 0], [4, 0], [0, 1], [0, 1]], atol=1e-6)


def test_t_sne_keeps_groups_together_and_is_the_same_each_time():
    random = np.random.default_rng(4)
    points = np.concatenate([random.normal(size=(20, 6)), random.normal(size=(20, 6)) + 40])
    found = tokens.project(points, "tsne")
    np.testing.assert_array_equal(found, tokens.project(points, "tsne"))
    first, second = found[:20], found[20:]
    within = np.linalg.norm(first - first.mean(axis=0), axis=1).max()
    assert np.linalg.norm(first.mean(axis=0) - second.mean(axis=0)) > within


def test_planes_that_there_are_not():
    with pytest.raises(ValueError, match="umap"):
        tokens.project(CROSS, "umap")
    with pytest.raises(ValueError, match="four"):
        tokens.project(CROSS[:3], "tsne")
    assert tokens.project(CROSS, "tsne").shape == (4, 2)
    assert (perplexity(4), perplexity(1000)) == (1, 30)


# ---------------------------------------------------------------- places


def test_ridge_by_hand():
    # x centred: -1, 1; y centred: -2, 2. X'X = 2, X'y = 4; a penalty of 1 x 2 makes the slope 4 / 4.
    weights, intercept = tokens.ridge(np.array([[1.0], [3.0]]), np.array([[5.0], [9.0]]), penalty=1.0)
    np.testing.assert_allclose((weights[0, 0], intercept[0]), (1, 7 - 2))
    weights, intercept = tokens.ridge(np.array([[1.0], [3.0]]), np.array([[5.0], [9.0]]), penalty=0.0)
    np.testing.assert_allclose((weights[0, 0], intercept[0]), (2, 3))


def test_ridge_of_two_dimensions_solves_its_equations():
    random = np.random.default_rng(5)
    x, y = random.normal(size=(30, 2)) + 3, random.normal(size=(30, 2))
    weights, intercept = tokens.ridge(x, y, penalty=0.5)
    centred = x - x.mean(axis=0)
    added = 0.5 * (centred**2).sum() / 2
    np.testing.assert_allclose((centred.T @ centred + added * np.eye(2)) @ weights, centred.T @ (y - y.mean(axis=0)))
    np.testing.assert_allclose(x.mean(axis=0) @ weights + intercept, y.mean(axis=0))


def test_ridge_of_what_does_not_vary_says_the_mean():
    weights, intercept = tokens.ridge(np.ones((4, 3)), np.arange(4.0)[:, None])
    assert not weights.any()
    assert intercept == 1.5


def known(noise: float, seed: int) -> tokens.PatchPositions:
    """Return patches whose position is encoded in the first stage but not in the second."""
    random = np.random.default_rng(seed)
    places = np.stack(np.meshgrid(np.linspace(-1, 1, 6), np.linspace(-1, 1, 5), indexing="ij"), axis=-1).reshape(-1, 2)
    held = places @ np.array([[1.0, 2, 0, 1], [0, 1, 3, -1]]) + noise * random.normal(size=(30, 4))
    return tokens.PatchPositions(np.stack([held, random.normal(size=(30, 4))]), places)


def test_a_place_is_read_where_it_is_and_nowhere_else():
    probe = tokens.position_probe([known(0.01, seed) for seed in range(3)])
    assert probe.r2.shape == (2, 2)
    assert (probe.r2[0] > 0.99).all()
    assert (probe.r2[1] < 0.3).all()
    assert (probe.images, probe.patches) == (3, 90)


def test_a_probe_is_tried_on_an_image_that_it_has_not_seen():
    """Mirror the positions of one image: a probe fitted on the others fails there, a fit on all would not."""
    first, other = known(0.0, 0), known(0.0, 1)
    mirrored = replace(other, stages=-other.stages)
    assert (tokens.position_probe([first, mirrored]).r2[0] < -2).all()


def test_a_probe_needs_two_images_and_more_than_one_row():
    with pytest.raises(ValueError, match="two"):
        tokens.position_probe([known(0, 0)])
    flat = [replace(known(0, seed), positions=known(0, seed).positions * [0, 1]) for seed in range(2)]
    found = tokens.position_probe(flat).r2[0]
    assert np.isnan(found[0])
    assert found[1] > 0.9


def test_places_of_a_trace(trace):
    every, some = tokens.patch_positions(trace), tokens.patch_positions(trace, max_patches=50)
    assert (every.positions.shape, some.positions.shape) == ((256, 2), (50, 2))
    np.testing.assert_array_equal(every.positions.min(axis=0), [-1, -1])
    np.testing.assert_array_equal(every.positions.max(axis=0), [1, 1])
    row, column = np.round((some.positions[0] + 1) * 7.5).astype(int)
    np.testing.assert_array_equal(some.stages[3, 0], trace.tokens(2)[trace.prefix + 16 * row + column])


# ---------------------------------------------------------------- all kinds of models


@pytest.mark.parametrize("kind", ["differential", "pooled", "mean with registers", "distilled", "relative"])
def test_every_kind_of_model(kind):
    trace = kinds.trace_of(kind)
    stages = tokens.stream(trace)
    assert tokens.pca_of_layers(stages[1:, trace.prefix :], grid=trace.grid).scores.shape == (3, 24, 3)
    np.testing.assert_allclose(tokens.received(trace, 2).sum(axis=1), 1, rtol=1e-5)
    assert len(tokens.outliers(trace, -1).norms) == 24


# ---------------------------------------------------------------- charts


def test_a_chart_over_layers_holds_what_it_is_given():
    lines = [Line("one", np.array([0.5, 20.0]), "red"), Line("two", np.array([3.0, 700.0]), "blue", "dot")]
    figure = over_layers(lines, "norm", first=0, shown=1, log=True)
    assert [list(trace.x) for trace in figure.data] == [[0, 1], [0, 1]]
    assert list(figure.data[1].y) == [3, 700]
    assert figure.layout.shapes[0].x0 == 1
    assert {0.5, 1, 10, 500} <= set(figure.layout.yaxis.tickvals)
    assert "0.5" in figure.layout.yaxis.ticktext
    assert over_layers(lines, "share", first=1, shown=1, limit=1.0).layout.yaxis.range == (0, 1)


# ---------------------------------------------------------------- the warning on the Explore page


def outlier(*places: int, size: int = 100, prefix: int = 1) -> tokens.Outliers:
    lengths = np.ones(prefix + size)
    lengths[list(places)] = 10
    return tokens.outliers_in(lengths, prefix)


def test_a_map_is_warned_of_only_if_outliers_have_most_of_it(trace):
    weights = np.full(100, 0.001)
    weights[6] = 0.2
    assert outlier_warning.is_on_few(weights)
    said = outlier_warning.message(trace, weights, outlier(7))
    assert said.startswith("1 token ")
    assert "66.9 %" in said
    assert outlier_warning.message(trace, weights, outlier(8)) is None
    assert outlier_warning.message(trace, weights, outlier()) is None
    assert not outlier_warning.is_on_few(np.ones(100))
    assert outlier_warning.message(trace, np.zeros(100), outlier(7)) is None


def test_attention_reads_what_left_the_layer_before():
    pooled = kinds.trace_of("pooled")
    assert outlier_warning.stage_read(pooled, View(0)) == 0
    assert outlier_warning.stage_read(pooled, View(2)) == 2
    assert outlier_warning.stage_read(pooled, View(3)) == 3
