"""Logit lens: hand calculations on a model of two channels, and comparison with the readout of all kinds of models."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import vitviz
from tests.support import random_models as kinds
from tests.support.explained_traces import ALL, explained
from tests.support.facts import mentions
from vitviz.analysis.attribution import DifferenceTarget, SimilarityTarget
from vitviz.analysis.logit_lens import AT_ONCE, Lens, cosines, depth_label
from vitviz.analysis.predictions import probabilities
from vitviz.model.hooks import residual_stream_names

# Two patches of one pixel, two channels, and a block that adds [0, 1.5] to every token.
TINY = vitviz.ViTConfig(
    image_size=(1, 2),
    patch_size=1,
    in_chans=2,
    embed_dim=2,
    depth=1,
    num_heads=1,
    head_dim=2,
    mlp_dim=2,
    num_classes=2,
    class_token=False,
    position_embedding=False,
    pooling="mean",
)
PIXELS = torch.tensor([[[3.0, 1.0]], [[1.0, 0.0]]])  # tokens [3, 1] and [1, 0]; after the block [3, 2.5] and [1, 1.5]


def tiny(**changes) -> vitviz.VisionTransformer:
    model = vitviz.VisionTransformer(replace(TINY, **changes), "tiny", labels=("left", "right"))
    for name, parameter in model.named_parameters():
        parameter.data.zero_()
        if name.startswith("norm.weight"):
            parameter.data.fill_(1)
    model.patch_embed.proj.weight.data = torch.eye(2)[..., None, None]
    model.blocks[0].ls1.gamma.data.fill_(1)
    model.blocks[0].attn.proj.bias.data = torch.tensor([0.0, 1.0])
    model.blocks[0].ls2.gamma.data.fill_(1)
    model.blocks[0].mlp.fc2.bias.data = torch.tensor([0.0, 0.5])
    model.head.weight.data = torch.eye(2)
    return model.requires_grad_(False)


@pytest.fixture(scope="module")
def read():
    """Return the lens of the tiny model, whose norm maps tokens to [1, -1] if channel 0 is larger, else to [-1, 1]."""
    return tiny().trace(PIXELS)


def test_by_hand(read):
    found = vitviz.lens(read)
    assert found.outputs == pytest.approx(np.array([[1, -1], [0, 0]]), abs=1e-4)  # the mean of both patches
    likely = np.exp(2) / (1 + np.exp(2))
    assert found.probabilities() == pytest.approx(np.array([[likely, 1 - likely], [0.5, 0.5]]), abs=1e-4)
    maps = vitviz.patch_lens(read, 0)
    assert maps == pytest.approx(np.array([[[likely, likely]], [[likely, 1 - likely]]]), abs=1e-4)
    assert vitviz.patch_lens(read, -1) == pytest.approx(1 - maps, abs=1e-6)


def test_similarity_by_hand(read):
    target = np.array([3.0, 0.0], np.float32)  # [1, -1] and [-1, 1] are at 45 and 135 degrees to it
    maps = vitviz.patch_lens(read, target)
    half = np.sqrt(0.5)
    assert maps == pytest.approx(np.array([[[half, half]], [[half, -half]]]), abs=1e-4)
    assert cosines(np.array([[2.0, 0], [0, 0]], np.float32), target).tolist() == [1, 0]


def test_patches_are_compared_with_their_own_ends_by_hand(read):
    # Both are [1, -1] before the block; after it, one is [1, -1] and the other [-1, 1].
    assert vitviz.patch_lens(read) == pytest.approx(np.array([[[1, -1]], [[1, 1]]]), abs=1e-4)


def test_what_leads_where():
    logits = np.array([[0, 9, 0, 0], [9, 0, 0, 0], [0, 0, 2, 9], [0, 0, 8, 9]], np.float32)
    found = Lens(vitviz.VisionTransformer(replace(kinds.PLAIN, num_classes=4)), logits)
    assert found.tops().tolist() == [1, 0, 3, 3]
    assert found.leading(2) == (3, 2, 1, 0)
    assert found.leading(1) == (3, 1, 0)
    assert found.settled() == 2
    assert Lens(found.model, logits[2:]).settled() == 0


@pytest.mark.parametrize("kind", ALL)
def test_the_last_layer_is_the_output_to_the_bit(kind):
    trace = explained(kind)
    found = vitviz.lens(trace)
    assert found.outputs.shape == (1 + trace.layers, len(trace.output))
    assert found.outputs.dtype == np.float32
    assert np.array_equal(found.outputs[-1], trace.output)
    assert found.similarities()[-1] == pytest.approx(1)
    assert not np.allclose(found.outputs[0], trace.output), "the blocks do something"


@pytest.mark.parametrize("kind", kinds.CONFIGS)
def test_a_depth_is_what_a_model_without_the_blocks_above_returns(kind):
    trace = kinds.trace_of(kind)
    found = vitviz.lens(trace)
    for depth in range(1 + trace.layers):
        cut = vitviz.VisionTransformer(replace(trace.config, depth=depth), kind)
        cut.load_state_dict({n: w for n, w in trace.model.state_dict().items() if n in cut.state_dict()})
        with torch.no_grad():
            expected = cut(torch.from_numpy(trace.pixels().copy())[None])[0].numpy()
        assert found.outputs[depth] == pytest.approx(expected, abs=1e-4)


def in_the_place_of_what_is_read(model, token):
    """Return the pooled feature for one normalised token [D], for each kind of pooling."""
    kind = model.config.pooling
    if kind == "distilled":
        return (model.head.token(token) + model.head.distilled(token)) / 2
    if kind == "attention":
        pool = model.attn_pool
        z = pool.proj(pool.kv(token)[model.config.embed_dim :])  # its only value, with weight 1
        token = z + pool.mlp(pool.norm(z))
    elif kind == "token+mean":
        token = torch.cat([token, token])
    return model.head(model.fc_norm(token))


@pytest.mark.parametrize("kind", [*kinds.CONFIGS, "token+mean", "dinov2-small", "digits", "stem"])
def test_patches_are_read_in_the_place_of_what_the_head_reads(kind, monkeypatch):
    monkeypatch.setitem(kinds.CONFIGS, "token+mean", replace(kinds.PLAIN, pooling="token+mean", num_registers=1))
    trace = kinds.trace_of(kind) if kind in kinds.CONFIGS else explained(kind)
    model, (rows, columns) = trace.model, trace.grid
    target = 2 if model.is_classifier else np.random.default_rng(0).normal(size=trace.output.shape).astype(np.float32)
    maps = vitviz.patch_lens(trace, target)
    assert maps.shape == (1 + trace.layers, rows, columns)
    assert maps.dtype == np.float32
    for depth, row, column in [(0, 0, 0), (1, 2, 1), (trace.layers, rows - 1, columns - 1)]:
        stream = torch.from_numpy(trace.activation(residual_stream_names(trace.layers)[depth]).copy())
        with torch.no_grad():
            said = in_the_place_of_what_is_read(model, model.norm(stream)[trace.prefix + row * columns + column])
        expected = probabilities(model, said.numpy())[2] if model.is_classifier else cosines(said.numpy(), target)
        assert maps[depth, row, column] == pytest.approx(float(expected), abs=1e-5)


def test_many_classes_are_read_in_batches(small_trace, monkeypatch):
    at_once, ends = vitviz.patch_lens(small_trace, 1), vitviz.patch_lens(small_trace)
    assert 5 * small_trace.output.size < AT_ONCE
    monkeypatch.setattr("vitviz.analysis.logit_lens.AT_ONCE", 5 * small_trace.output.size)
    assert vitviz.patch_lens(small_trace, 1) == pytest.approx(at_once, abs=1e-6)
    assert vitviz.patch_lens(small_trace) == pytest.approx(ends, abs=1e-6)


def test_a_recorded_stream_is_not_computed_again_and_an_edited_one_is_the_edited(small, monkeypatch):
    pixels = torch.randn(3, 32, 48, generator=torch.Generator().manual_seed(1))
    with vitviz.edit({"blocks.1.resid_post": torch.zeros_like}):
        edited = small.trace(pixels, record=("blocks.0.resid_pre", "blocks.*.resid_post"))
        unrecorded = small.trace(pixels)
    monkeypatch.setattr(small, "forward", None)
    found = vitviz.lens(edited)
    assert np.array_equal(found.outputs[-1], edited.output)
    maps = vitviz.patch_lens(edited, 0)
    assert np.ptp(maps[1]) > 0
    assert np.ptp(maps[2]) == 0, "all tokens are zero there"
    with pytest.raises(vitviz.HookError, match="record="):
        vitviz.lens(unrecorded)


def test_nobody_hears_the_reading_and_nothing_is_left_on_the_model(small, small_trace):
    with vitviz.edit({"logits": torch.zeros_like}), vitviz.capture("logits") as kept:
        small(torch.zeros(1, 3, 32, 48))
        kept.clear()
        found, maps = vitviz.lens(small_trace), vitviz.patch_lens(small_trace, 0)
    assert not kept
    assert np.array_equal(found.outputs[-1], small_trace.output)
    assert maps.any()
    assert all(parameter.grad is None and not parameter.requires_grad for parameter in small.parameters())
    assert not found.outputs.flags.writeable


def test_what_cannot_be_asked(trace, small_trace):
    with pytest.raises(IndexError, match=mentions("class 5", 5)):
        vitviz.patch_lens(small_trace, 5)
    with pytest.raises(vitviz.ModelError, match=trace.model.name):
        vitviz.patch_lens(trace, 0)
    with pytest.raises(vitviz.ModelError, match=trace.model.name):
        vitviz.lens(trace).leading()
    with pytest.raises(vitviz.ModelError, match=mentions(str(list(small_trace.output.shape)), trace.output.shape[-1])):
        vitviz.patch_lens(trace, small_trace.output)
    for nothing in (1.5, True, [1.0]):
        with pytest.raises(vitviz.ModelError, match="Target, not"):
            vitviz.patch_lens(small_trace, nothing)
    with pytest.raises(vitviz.ModelError, match="finite"):
        vitviz.lens(trace).similarities(np.full(trace.output.shape, np.nan))


def test_whatever_can_be_explained_can_be_asked(trace, small_trace):
    difference = vitviz.patch_lens(small_trace, DifferenceTarget(1, 0))
    with torch.no_grad():
        alone = small_trace.model.norm(torch.tensor(small_trace.tokens(2)))[-1:].expand(small_trace.token_count, -1)
        logits = small_trace.model.readout(alone[None])[0]
    assert difference[-1, -1, -1] == pytest.approx(float(logits[1] - logits[0]), abs=1e-4)
    likeness = vitviz.patch_lens(trace, SimilarityTarget(trace.output, "this image"))
    assert likeness == pytest.approx(vitviz.patch_lens(trace, trace.output), abs=1e-5)
    with pytest.raises(vitviz.ModelError, match=trace.model.name):
        vitviz.patch_lens(trace, DifferenceTarget(1, 0))


def test_words():
    assert [depth_label(depth) for depth in (0, 1, 12)] == ["before layer 1", "after layer 1", "after layer 12"]
