"""Steps of a head and its block: a 2 x 2 hand calculation, and checks against models of all kinds."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import vitviz
from tests.support import random_models as kinds
from tests.support.explained_traces import ALL, explained
from vitviz.analysis import arithmetic
from vitviz.model.layers import ACTIVATIONS
from vitviz.model.position_embeddings import rotate
from vitviz.walkthrough.checks import worst
from vitviz.walkthrough.steps import (
    block_by_hand,
    block_steps,
    has_layer_scale,
    head_steps,
    readout_by_hand,
    record_layer,
    what_if_temperature,
)
from vitviz.walkthrough.steps.block import attention_post_norm

HEAD = {"q", "k", "v", "score", "scores", "weights", "z"}
BLOCK = {"heads", "attention_out", "resid_mid", "mlp_out", "resid_post"}


# --- Arithmetic ------------------------------------------------------------------------------------------------------


def test_norms_on_paper():
    layer = nn.LayerNorm(2, eps=0.0)
    layer.weight.data, layer.bias.data = torch.tensor([2.0, 3.0]), torch.tensor([10.0, 20.0])
    norm = arithmetic.normed([[1, 5], [0, 2]], layer)
    assert norm.mean.tolist() == [3, 1]
    assert norm.std.tolist() == [2, 1]
    assert norm.result.tolist() == [[8, 23], [8, 23]]
    rms = nn.RMSNorm(2, eps=0.5)
    rms.weight.data = torch.tensor([1.0, 2.0])
    norm = arithmetic.normed([1, 4], rms)
    assert (float(norm.mean), float(norm.std)) == (0, 3)
    assert norm.result == pytest.approx([1 / 3, 8 / 3])
    assert not norm.shift.any()


def test_a_linear_map_on_paper():
    module = nn.Linear(2, 3, bias=False)
    module.weight.data = torch.tensor([[1.0, 2], [3, 4], [5, 6]])
    whole, part = arithmetic.Linear.of(module), arithmetic.Linear.of(module, slice(1, 3))
    assert whole.weight.tolist() == [[1, 3, 5], [2, 4, 6]]
    assert whole([1, 1]).tolist() == [3, 7, 11]
    assert part([[1, 1], [0, 1]]).tolist() == [[7, 11], [4, 6]]
    assert not whole.weight.flags.writeable


def test_softmax_on_paper():
    found = arithmetic.softmax([[0, math.log(3)], [1000, 1000]])
    assert found.largest == pytest.approx([math.log(3), 1000])
    assert found.exponentials == pytest.approx(np.array([[1 / 3, 1], [1, 1]]))
    assert found.total == pytest.approx([4 / 3, 2])
    assert found.weights == pytest.approx(np.array([[1 / 4, 3 / 4], [1 / 2, 1 / 2]]))


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations(name):
    x = np.array([-1000.0, -5, -1, -0.1, 0, 0.3, 1, 2.5, 1000])
    assert arithmetic.activated(x, name) == pytest.approx(ACTIVATIONS[name](torch.from_numpy(x)).numpy(), abs=1e-12)


def test_turning_on_paper():
    assert arithmetic.rotated(np.array([1.0, 0, 0, 2]), np.array([math.pi / 2, math.pi])) == pytest.approx(
        [0, 1, 0, -2]
    )
    x, angles = (torch.randn(shape, generator=torch.Generator().manual_seed(0)).double() for shape in ((5, 6), (5, 3)))
    cosine, sine = (part.repeat_interleave(2, -1) for part in (angles.cos(), angles.sin()))
    assert arithmetic.rotated(x.numpy(), angles.numpy()) == pytest.approx(rotate(x, (cosine, sine)).numpy())


# --- On paper --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def paper():
    """Return a trace of two patches with two channels, (1, -1) and (-1, 1), unchanged by norms, and simple weights."""
    config = vitviz.ViTConfig(
        image_size=(1, 2), patch_size=1, in_chans=1, embed_dim=2, depth=1, num_heads=1, head_dim=2, mlp_dim=2,
        norm_eps=0.0,
        class_token=False, position_embedding=False, pooling="mean",
    )  # fmt: skip
    model = vitviz.VisionTransformer(config, "paper").requires_grad_(False)
    for name, parameter in model.named_parameters():
        if not ("norm" in name or "gamma" in name):
            parameter.zero_()
    model.patch_embed.proj.weight.copy_(torch.tensor([1.0, -1.0]).reshape(2, 1, 1, 1))
    block, eye, d = model.blocks[0], torch.eye(2), math.sqrt(2) * math.log(3) / 4
    block.attn.qkv.weight.copy_(torch.cat([d * eye, eye, 4 * eye]))  # queries, keys, values
    block.attn.proj.weight.copy_(torch.tensor([[0.0, 1], [1, 0]]))
    block.attn.proj.bias.copy_(torch.tensor([1.0, 0]))
    block.ls1.gamma.copy_(torch.tensor([1.0, 10]))
    block.mlp.fc2.bias.copy_(torch.tensor([100.0, 200]))
    return model.trace(torch.tensor([[[1.0, -1.0]]]))


def test_a_block_on_paper(paper):
    """Scores are (ln 3) / 2 and -(ln 3) / 2, so weights are 3/4 and 1/4 and the values (4, -4), (-4, 4) sum to half."""
    block = block_by_hand(paper, 0, 0, query=0, key=1)
    head = block.head
    assert head.x.tolist() == head.entered.tolist() == [[1, -1], [-1, 1]]
    assert head.k.tolist() == [[1, -1], [-1, 1]]
    assert head.v.tolist() == [[4, -4], [-4, 4]]
    assert head.products.sum() == pytest.approx(head.product)
    assert head.product * head.scale == pytest.approx(head.score) == pytest.approx(-math.log(3) / 2)
    assert head.scores == pytest.approx([math.log(3) / 2, -math.log(3) / 2])
    assert head.weights == pytest.approx([3 / 4, 1 / 4])
    assert head.contributions == pytest.approx(np.array([[3, -3], [-1, 1]]))
    assert head.z == pytest.approx([2, -2])
    assert head.to_prefix.tolist() == []
    assert block.projected == pytest.approx([-1, 2])
    assert block.attention_out == pytest.approx([-1, 20])
    assert block.resid_mid == pytest.approx([0, 19], abs=1e-6)
    assert block.mlp_out == pytest.approx([100, 200])
    assert block.resid_post == pytest.approx([100, 219])
    assert worst(block.checks.values()).holds


def test_temperature_on_paper():
    scores = [0, math.log(2), math.log(2)]
    assert what_if_temperature(scores, 1) == pytest.approx([1 / 5, 2 / 5, 2 / 5])
    assert what_if_temperature(scores, 0.5) == pytest.approx([1 / 9, 4 / 9, 4 / 9])
    assert what_if_temperature(scores, 0) == pytest.approx([0, 1 / 2, 1 / 2])
    assert what_if_temperature(scores, math.inf) == pytest.approx([1 / 3] * 3)
    assert what_if_temperature([[0, math.log(3)], [0, 0]], 1, lam=0.5) == pytest.approx([0, 1 / 2])
    for temperature in (-1, math.nan):
        with pytest.raises(ValueError, match="temperature"):
            what_if_temperature(scores, temperature)


# --- All kinds of models ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ALL)
def test_every_stage_is_the_models(kind):
    trace = explained(kind)
    last = trace.token_count - 1
    for layer, head, query, key in ((0, 0, 0, last), (trace.layers - 1, trace.heads - 1, last, 0), (-1, 1, 3, 2)):
        block = block_steps(record_layer(trace, layer), head, query, key)
        post = trace.config.block == "post"
        assert set(block.checks) == HEAD | BLOCK | (set() if post else {"norm"})
        for name, check in block.checks.items():
            assert check.holds, (name, check.error)
            assert np.all(np.isfinite(check.computed))


@pytest.mark.parametrize("kind", ALL)
def test_scores_and_weights_are_those_of_the_explicit_path(kind):
    """Compare scores and weights of the trace with the activations at the hook points."""
    trace = explained(kind)
    recorded = trace.activations("blocks.1.attn.scores", "blocks.1.attn.weights")
    head = head_steps(record_layer(trace, 1), 1, 4, 2)
    scores, weights = recorded["blocks.1.attn.scores"][1][..., 4, :], recorded["blocks.1.attn.weights"][1, 4]
    assert np.abs(head.scores - scores).max() <= 1e-4 * np.abs(scores).max()
    assert np.abs(head.weights - weights).max() <= 1e-4 * np.abs(weights).max()


@pytest.mark.parametrize("kind", ALL)
def test_the_ingredients_make_the_result(kind):
    """Recompute results from the intermediate results that a page shows."""
    trace, config = explained(kind), explained(kind).config
    block = block_by_hand(trace, 1, 2, 5, 1)
    head, mlp = block.head, block.mlp
    d = config.head_dim
    assert (head.w_q.weight.shape, head.q.shape, head.k.shape) == ((config.embed_dim, d), (d,), (trace.token_count, d))
    assert head.x.shape == head.entered.shape == (trace.token_count, config.embed_dim)
    assert head.row_sum == pytest.approx(trace.row_sum(1))
    assert head.softmax.weights.sum(axis=-1) == pytest.approx(1)
    assert head.to_prefix.shape == (trace.prefix,)
    assert head.products == pytest.approx(head.q * head.k[1])
    assert head.products.sum() == pytest.approx(np.sum(head.product))
    bias = 0 if head.bias is None else head.bias[1]
    assert head.score == pytest.approx(head.product * head.scale + bias)
    assert (head.bias is not None) == config.relative_position_bias
    assert (head.angles is not None) == (config.rope is not None)
    assert (head.q_norm is not None) == config.qk_norm
    assert head.contributions.sum(axis=0) == pytest.approx(head.z)
    assert head.at_temperature(1) == pytest.approx(head.weights)
    assert (head.lam is not None) == config.differential == (head.scores.ndim == 2)
    assert block.heads[2] == pytest.approx(head.z)
    assert block.concatenated.shape == (config.num_heads * d,)
    assert block.resid_mid == pytest.approx(block.x + block.attention_out)
    assert block.resid_post == pytest.approx(block.resid_mid + block.mlp_out)
    assert (mlp.gate is not None) == (mlp.gating is not None) == (config.mlp == "gated")
    assert mlp.hidden.shape == (config.mlp_dim,)
    assert (mlp.norm is not None) == (config.block == "pre")
    assert (block.mlp_post_norm is not None) == (block.attention_post_norm is not None) == (config.block == "post")
    if head.norm is not None:
        by_parts = (head.x - head.norm.mean[:, None]) / head.norm.std[:, None] * head.norm.gain + head.norm.shift
        assert head.entered == pytest.approx(by_parts)
        assert head.norm.mean.any() == (config.norm == "layer")
    if config.norm == "layer" and head.norm is not None:
        centred = F.layer_norm(torch.tensor(head.x), (config.embed_dim,), eps=config.norm_eps).numpy()
        assert head.entered == pytest.approx(centred * head.norm.gain + head.norm.shift, abs=1e-4)


@pytest.mark.parametrize("kind", ALL)
def test_the_norm_after_attention_of_all_tokens(kind):
    trace = explained(kind)
    recording = record_layer(trace, 1)
    norm, block = attention_post_norm(recording), block_steps(recording, 0, 3, 1)
    assert (norm is None) == (trace.config.block != "post")
    if norm is not None:
        assert norm.result[3] == pytest.approx(block.attention_post_norm.result, abs=1e-5)
        scaled = norm.result * block.attention_scale
        assert np.abs(scaled - recording["attn.out"]).max() < 1e-4 * np.abs(scaled).max()


@pytest.mark.parametrize("kind", ALL)
def test_the_output_by_hand(kind):
    trace, config = explained(kind), explained(kind).config
    end = readout_by_hand(trace)
    pool = {"pool_k", "pool_v", "pool_weights", "pool_z", "pool_out"} if config.pooling == "attention" else set()
    assert set(end.checks) == {"tokens", "output"} | pool
    for name, check in end.checks.items():
        assert check.holds, (name, check.error)
    assert end.tokens.shape == (trace.token_count, config.embed_dim)
    assert end.output.shape == trace.output.shape
    assert (end.norm is not None) == config.final_norm
    assert (end.pooled_norm is not None) == config.fc_norm
    assert len(end.heads) == (2 if config.pooling == "distilled" else 1 if config.num_classes else 0)
    if config.pooling in ("token", "distilled"):
        assert end.pooled.reshape(-1, config.embed_dim)[0] == pytest.approx(end.tokens[0])
    if end.pool is not None:
        assert end.pool.result == pytest.approx(end.pool.projected + end.pool.mlp.result)
        assert end.pool.softmax.weights.sum(axis=1) == pytest.approx(1)


def test_the_feature_of_a_model_without_classes():
    trace = explained("distilled")
    bare = vitviz.VisionTransformer(replace(trace.config, num_classes=0), "bare").requires_grad_(False)
    found = readout_by_hand(bare.trace(torch.randn(3, 32, 48, generator=torch.Generator().manual_seed(0))))
    assert found.output == pytest.approx(found.tokens[:2].mean(axis=0))
    assert found.checks["output"].holds


def test_all_kinds_are_there():
    """Check that the kinds of models cover all variants of a block."""
    configs = [explained(kind).config for kind in ALL]
    for part, values in {
        "block": {"pre", "post", "parallel"},
        "mlp": {"plain", "gated"},
        "norm": {"layer", "rms"},
        "activation": set(ACTIVATIONS),
        "pooling": {"token", "mean", "token+mean", "attention", "distilled"},
    }.items():
        assert {getattr(config, part) for config in configs} == values
    for switch in (
        "class_token", "position_embedding", "relative_position_bias", "qk_norm", "differential", "attention_norm",
        "mlp_norm", "patch_norm", "pre_norm", "stem", "final_norm",
    ):  # fmt: skip
        assert {getattr(config, switch) for config in configs} == {True, False}, switch
    assert any(config.rope and config.rope.per_layer for config in configs)


# --- The record ------------------------------------------------------------------------------------------------------


def test_one_forward_pass_is_enough(model, photo, monkeypatch):
    trace = model.trace(photo, size=56)
    passes = []
    forward = type(model).forward
    monkeypatch.setattr(type(model), "forward", lambda *inputs: passes.append(1) or forward(*inputs))
    recording = record_layer(trace, 11)
    for head in range(3):
        block_steps(recording, head, 0, 5)
    assert len(passes) == 1
    recorded = model.trace(photo, size=56, record=("blocks.11.*",))
    passes.clear()
    assert worst(block_by_hand(recorded, 11, 0, 0, 5).checks.values()).holds
    assert not passes


def test_activations_in_one_pass(small_trace):
    both = small_trace.activations("norm", "blocks.0.attn.z")
    assert np.array_equal(both["norm"], small_trace.activation("norm"))
    assert both["blocks.0.attn.z"].shape == (3, 27, 8)
    assert not both["norm"].flags.writeable
    assert small_trace.activations() == {}


def test_an_edited_trace_has_only_what_it_recorded(small):
    pixels = torch.zeros(3, 32, 48)
    with vitviz.edit({"blocks.0.mlp.out": torch.zeros_like}):
        trace = small.trace(pixels, record=("norm",))
    assert set(trace.activations("norm")) == {"norm"}
    with pytest.raises(vitviz.HookError, match="record"):
        record_layer(trace, 0)


def test_the_input_is_what_the_trace_saw(small):
    pixels = torch.randn(3, 32, 48, generator=torch.Generator().manual_seed(2))
    seen = small.trace(pixels).pixels()
    assert np.array_equal(seen, pixels.numpy())
    assert not seen.flags.writeable


@pytest.mark.parametrize("place", [(2, 0, 0, 0), (0, 3, 0, 0), (0, 0, 99, 0), (0, 0, 0, -99)])
def test_what_is_not_there(place):
    with pytest.raises(IndexError, match="|".join(f"{value} " for value in place if value)):
        block_by_hand(explained("gated"), *place)


def test_layer_scale_is_read_from_the_weights():
    model = vitviz.VisionTransformer(kinds.PLAIN, "plain")
    assert not has_layer_scale(model)
    model.blocks[-1].ls2.gamma.data = torch.full_like(model.blocks[-1].ls2.gamma.data, 0.5)
    assert has_layer_scale(model)
