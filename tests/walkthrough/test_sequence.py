"""From image to sequence: 2 x 2 hand calculations, and checks against models of all kinds."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch.utils.flop_counter import FlopCounterMode

import vitviz
from tests.support.explained_traces import ALL, WITHOUT_STEM, explained
from tests.support.facts import mentions
from vitviz import ImageError, ModelError
from vitviz.model.hooks import capture
from vitviz.walkthrough import sequence as seq
from vitviz.walkthrough.checks import Check, worst

ROTARY = [kind for kind in ALL if "rotary" in kind]


# --- Checks ----------------------------------------------------------------------------------------------------------


def test_an_error_is_relative_to_the_largest_number():
    check = Check("two numbers", np.array([1.0, 2.0]), np.array([1.5, -4.0]))
    assert check.error == pytest.approx(6 / 4)
    assert not check.holds
    assert Check("the same", 3.0, 3.0 + 1e-5).holds


def test_one_number_is_measured_against_those_it_is_among():
    assert Check("alone", 1e-9, 2e-9).error == pytest.approx(0.5)
    assert Check("among", 1e-9, 2e-9, among=np.array([2e-9, -10.0])).error == pytest.approx(1e-10)


def test_zeros():
    assert Check("zeros", np.zeros(2), np.zeros(2)).error == 0
    assert Check("not zero", 1.0, 0.0).error == math.inf


def test_what_is_compared_has_to_have_the_same_shape():
    with pytest.raises(ValueError, match=r"\[2, 1\]"):
        Check("broadcast", np.zeros((2, 1)), np.zeros(2))


def test_not_a_number_is_worst():
    checks = [Check("fine", 1.0, 1.0), Check("nan", math.nan, 1.0), Check("off", 2.0, 1.0)]
    assert worst(checks).label == "nan"
    assert not checks[1].holds


# --- Patches ---------------------------------------------------------------------------------------------------------


def test_patches_on_paper(paper):
    raw, pixels = seq.patch_pixels(paper, 1)
    assert raw is None
    assert pixels[..., 0].tolist() == [[2, 3], [6, 7]]
    assert seq.flattened(pixels).tolist() == [2, 3, 6, 7]
    assert seq.patch_matrix(paper).tolist() == [[0, 1, 4, 5], [2, 3, 6, 7], [8, 9, 12, 13], [10, 11, 14, 15]]
    assert seq.patch_pixels(paper, -1)[1][..., 0].tolist() == [[10, 11], [14, 15]]


def test_a_patch_of_the_photograph(trace):
    raw, pixels = seq.patch_pixels(trace, 16 + 3)
    assert (raw.dtype, raw.shape, pixels.dtype, pixels.shape) == (np.uint8, (14, 14, 3), np.float32, (14, 14, 3))
    assert np.array_equal(raw, trace.image.pixels[14:28, 42:56])
    mean, std = (np.array(x) for x in (trace.model.preprocessing.mean, trace.model.preprocessing.std))
    assert pixels == pytest.approx((raw / 255 - mean) / std, abs=1e-5)
    assert not raw.flags.writeable
    assert not pixels.flags.writeable
    assert np.array_equal(seq.patch_matrix(trace)[19], seq.flattened(pixels))


def test_where_a_pixel_goes_and_back():
    assert [seq.flat_index(*place, patch=2) for place in ((0, 0, 0), (0, 0, 2), (0, 1, 0), (1, 0, 0), (1, 1, 2))] == [
        0, 2, 3, 6, 11,
    ]  # fmt: skip
    vector = seq.flattened(np.arange(27).reshape(3, 3, 3))
    for index, value in enumerate(vector):
        place = seq.unflatten_index(index, patch=3)
        assert np.arange(27).reshape(3, 3, 3)[place] == value
        assert seq.flat_index(*place, patch=3) == index
    assert seq.unflatten_index(3, patch=2, channels=1) == (1, 1, 0)


@pytest.mark.parametrize(
    "ask",
    [
        lambda t: seq.patch_pixels(t, 4),
        lambda t: seq.patch_pixels(t, -5),
        lambda t: seq.project(t, 4, 0),
        lambda t: seq.project(t, 0, 2),
        lambda t: seq.embedded(t, 5),
        lambda t: seq.position_similarity(t.model, t.grid, 5),
        lambda t: seq.flat_index(2, 0, 0, patch=2),
        lambda t: seq.flat_index(0, 0, 3, patch=2),
        lambda t: seq.unflatten_index(12, patch=2),
    ],
)
def test_what_is_not_there(paper, ask):
    with pytest.raises(IndexError, match="out of range"):
        ask(paper)


# --- Projection ------------------------------------------------------------------------------------------------------


def test_one_number_of_a_token_on_paper(paper):
    one = seq.project(paper, 1, 0)
    assert one.filter[..., 0].tolist() == [[1, 2], [3, 4]]
    assert one.products[..., 0].tolist() == [[2, 6], [18, 28]]
    assert (one.sum, one.bias, one.total, one.result) == (54, 10, 64, 64)
    assert one.checks["total"].model == 64
    assert seq.project(paper, 1, 1).total == 3 - 7 + 20
    weight, bias = seq.projection(paper.model)
    assert weight.tolist() == [[1, 0], [2, 1], [3, 0], [4, -1]]
    assert bias.tolist() == [10, 20]
    assert seq.filters(paper.model).shape == (2, 2, 2, 1)


@pytest.mark.parametrize("kind", WITHOUT_STEM)
def test_one_number_of_a_token(kind):
    trace = explained(kind)
    for patch, dimension in ((0, 0), (5, trace.config.embed_dim - 1)):
        one = seq.project(trace, patch, dimension)
        assert one.products.shape == one.pixels.shape == one.filter.shape
        assert one.products.sum() + one.bias == pytest.approx(one.total)
        assert set(one.checks) == ({"total", "result"} if trace.config.patch_norm else {"total"})
        for check in one.checks.values():
            assert check.holds, (check.label, check.error)
        assert one.result == pytest.approx(trace.activation("embed.patches")[patch, dimension], abs=1e-4)


def test_a_networks_features_have_no_filters():
    trace = explained("stem")
    assert not seq.has_bias(trace.model)
    for ask in (seq.projection, seq.filters, seq.principal_filters):
        with pytest.raises(ModelError, match="convolution"):
            ask(trace.model)
    for compute in (lambda: seq.project(trace, 0, 0), lambda: seq.filter_responses(trace, 0)):
        with pytest.raises(ModelError, match="convolution"):
            compute()


def test_dot_products_with_a_filter_on_paper(paper):
    assert seq.filter_responses(paper, 0).tolist() == [[34, 54], [114, 134]]
    assert seq.filter_responses(paper, 1).tolist() == [[-4, -4], [-4, -4]]
    with pytest.raises(IndexError, match="out of range"):
        seq.filter_responses(paper, 2)


@pytest.mark.parametrize("kind", WITHOUT_STEM)
def test_dot_products_with_a_filter(kind):
    trace = explained(kind)
    found = seq.filter_responses(trace, 3)
    assert found.shape == trace.grid
    assert found.ravel()[5] == pytest.approx(seq.project(trace, 5, 3).sum)
    image = torch.from_numpy(trace.pixels().copy())[None]
    kernel = trace.model.patch_embed.proj.weight[3:4]
    expected = F.conv2d(image, kernel, stride=trace.config.patch_size)[0, 0].numpy()
    assert found == pytest.approx(expected, rel=1e-3, abs=1e-4)


def test_principal_filters_on_paper():
    """Check three collinear filters: one component explains all variance."""
    model = vitviz.VisionTransformer(
        vitviz.ViTConfig(image_size=(2, 2), patch_size=2, in_chans=1, embed_dim=3, num_heads=1)
    )
    along = torch.tensor([3.0, 0, 0, -4])
    mean = torch.tensor([7.0, 7, 7, 7])
    weight = torch.stack([mean + along, mean, mean - along]).reshape(3, 1, 2, 2)
    model.patch_embed.proj.weight.data = weight
    components, share = seq.principal_filters(model, 1)
    assert components.shape == (1, 2, 2, 1)
    assert components.ravel() == pytest.approx([-0.6, 0, 0, 0.8], abs=1e-6)  # largest value positive
    assert share == pytest.approx([1])


def test_principal_filters(model):
    components, share = seq.principal_filters(model, 500)
    assert components.shape == (384, 14, 14, 3)
    assert share.sum() == pytest.approx(1, rel=1e-5)
    assert (np.diff(share) <= 0).all()
    flat = components.reshape(384, -1)[:20]
    assert flat @ flat.T == pytest.approx(np.eye(20), abs=1e-4)
    assert seq.principal_filters(model)[0].shape == (28, 14, 14, 3)


# --- The sequence ----------------------------------------------------------------------------------------------------


def test_the_sequence_on_paper(paper):
    expected = [[5, 6], [0 + 2 + 12 + 20 + 11, 1 - 5 + 20], [64, 17], [125, 17], [143, 16]]
    assert seq.sequence(paper).computed.tolist() == expected
    row = seq.embedded(paper, 2)
    assert (row.vector.tolist(), row.position.tolist(), row.row.tolist()) == ([64, 16], [0, 1], [64, 17])
    assert seq.embedded(paper, 0).row.tolist() == [5, 6]


@pytest.mark.parametrize("kind", ALL)
def test_the_sequence(kind):
    trace = explained(kind)
    whole = seq.sequence(trace)
    assert whole.computed.shape == (trace.token_count, trace.config.embed_dim)
    assert whole.holds, whole.error
    for token in {0, trace.prefix, trace.token_count - 1, -1}:
        row = seq.embedded(trace, token)
        assert set(row.checks) == ({"row", "enters"} if trace.config.pre_norm else {"row"})
        for check in row.checks.values():
            assert check.holds, (check.label, check.error)
        assert row.row == pytest.approx(row.vector + row.position.astype(np.float64))
        assert row.row == pytest.approx(whole.computed[token])
        assert row.enters == pytest.approx(trace.activation("blocks.0.resid_pre")[token], rel=1e-3, abs=1e-3)


def test_recorded_activations_cost_no_forward_pass(model, photo, monkeypatch):
    trace = model.trace(photo, size=56, record=("embed.*",))
    monkeypatch.setattr(type(model), "forward", lambda *_: pytest.fail("a forward pass"))
    assert seq.project(trace, 3, 3).checks["total"].holds
    assert seq.embedded(trace, 3).checks["row"].holds


# --- Shuffling -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ALL)
def test_without_positions_a_shuffled_image_is_the_same(kind):
    trace = explained(kind)
    before = {name: value.clone() for name, value in trace.model.state_dict().items()}
    result = seq.shuffled(trace, seed=1)
    assert sorted(result.order) == list(range(trace.grid[0] * trace.grid[1]))
    assert result.positions
    assert result.without_positions == pytest.approx(1, abs=1e-4)
    assert Check("feature", result.permuted.without_positions, result.original.without_positions).holds
    # with random weights, position embeddings have little effect
    moved = Check("feature", result.permuted.with_positions, result.original.with_positions)
    assert moved.error > 1e-4
    assert 1 - result.with_positions > 100 * abs(1 - result.without_positions)
    assert all(torch.equal(value, before[name]) for name, value in trace.model.state_dict().items())


@pytest.mark.parametrize("kind", ["digits", "rotary and registers", "relative"])
def test_an_order_is_that_of_the_shuffled_image(kind):
    """Check that shuffling patches after their projection and in the image gives equal logits."""
    trace = explained(kind)
    result = seq.shuffled(trace, seed=2)
    pixels = seq.rearranged(trace.pixels().transpose(1, 2, 0), result.order, trace.config.patch_size)
    twin = trace.model.trace(torch.from_numpy(pixels.transpose(2, 0, 1).copy()))
    feature = seq.features(twin)
    assert feature.with_positions == pytest.approx(result.permuted.with_positions, rel=1e-4, abs=1e-4)
    if trace.image is not None:
        assert np.array_equal(result.pixels, seq.rearranged(trace.image.pixels, result.order, trace.config.patch_size))


def test_rearranged_on_paper():
    image = np.arange(16).reshape(4, 4, 1)
    moved = seq.rearranged(image, np.array([3, 0, 1, 2]), 2)
    assert moved[..., 0].tolist() == [[10, 11, 0, 1], [14, 15, 4, 5], [2, 3, 8, 9], [6, 7, 12, 13]]
    assert np.array_equal(seq.rearranged(image, np.arange(4), 2), image)


def test_the_feature_is_what_the_classifier_reads():
    trace = explained("digits")
    feature = torch.from_numpy(seq.shuffled(trace).original.with_positions)
    assert trace.model.head(feature).numpy() == pytest.approx(trace.output, abs=1e-4)


def test_seeds_and_edits_around_it():
    trace = explained("digits")
    first, again, other = (seq.shuffled(trace, seed) for seed in (0, 0, 1))
    assert np.array_equal(first.order, again.order)
    assert not np.array_equal(first.order, other.order)
    with pytest.raises(vitviz.HookError), vitviz.edit({"norm": torch.zeros_like}):  # out of reach of a forward pass
        around = seq.shuffled(trace, 0)
    assert around.with_positions == first.with_positions
    assert seq.shuffled(trace, 0, original=other.original).with_positions == first.with_positions


# --- What if ---------------------------------------------------------------------------------------------------------


def test_what_if():
    sizes = seq.sequence_sizes(224, 224, 16, 3, embed_dim=384)
    assert (sizes.grid, sizes.patches, sizes.tokens, sizes.patch_dim) == ((14, 14), 196, 197, 768)
    assert (sizes.attention_weights, sizes.projection_weights, sizes.remainder) == (38809, 294912, (0, 0))
    finer = seq.sequence_sizes(224, 224, 8, 3)
    assert finer.matrix_growth(sizes) == pytest.approx((785 / 197) ** 2)
    assert finer.projection_weights is None
    uneven = seq.sequence_sizes(32, 50, 14, 1, prefix=0)
    assert (uneven.grid, uneven.tokens, uneven.patch_dim, uneven.remainder) == ((2, 3), 6, 196, (4, 8))


def test_the_cost_of_a_block_of_dinov2_small():
    config = vitviz.load("dinov2-small").config
    cost = seq.block_cost(config, 257)
    assert cost.projections == 4 * 257 * 384 * 384
    assert cost.matrix == 2 * 257**2 * 384
    assert cost.mlp == 2 * 257 * 384 * 1536
    finer = seq.block_cost(config, 785)
    assert finer.matrix / cost.matrix == pytest.approx(9.33, abs=0.005)
    assert finer.attention / cost.attention == pytest.approx(4.63, abs=0.005)
    assert finer.block / cost.block == pytest.approx(3.684, abs=0.0005)
    with pytest.raises(vitviz.ArgumentError, match="at least 1"):
        seq.block_cost(config, 0)


@pytest.mark.parametrize("kind", ALL)
def test_the_cost_of_a_block_is_what_pytorch_counts(kind):
    """Count the operations of a block that computes its attention matrix; a multiplication and addition are two."""
    model, grid = explained(kind).model, (3, 4)
    tokens = model.config.num_prefix_tokens + 12
    x, rotation = torch.randn(1, tokens, model.config.embed_dim), model.rotations(grid)[0]
    with torch.no_grad(), capture("blocks.0.attn.weights"), FlopCounterMode(display=False) as counted:
        model.blocks[0](x, grid, rotation)
    assert 2 * seq.block_cost(model.config, tokens).block == counted.get_total_flops()


@pytest.mark.parametrize("patch", [0, -1, 33])
def test_a_patch_has_to_fit(patch):
    with pytest.raises(ImageError, match=mentions(patch, 32, 48)):
        seq.sequence_sizes(32, 48, patch)


def test_it_follows_the_models_sizes(trace):
    config = trace.config
    height, width = trace.image.pixels.shape[:2]
    sizes = seq.sequence_sizes(
        height, width, config.patch_size, config.in_chans, config.embed_dim, config.num_prefix_tokens
    )
    assert (sizes.grid, sizes.tokens) == (trace.grid, trace.token_count)
    assert sizes.projection_weights == seq.projection(trace.model)[0].size
    assert sizes.attention_weights == trace.attention(0, 0).size
