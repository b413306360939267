"""Explanations of an edited pass: they are those of a model whose weights are changed to the same effect."""

import copy

import numpy as np
import pytest
import torch

from tests.support import random_models as kinds
from vitviz import explain, lens
from vitviz.analysis.attribution import METHODS
from vitviz.model.edits import HeadAblation, KeyMask, SublayerAblation, Temperature

KINDS = ("distilled", "mean with registers", "pooled")
EDITS = (HeadAblation(1, 0), SublayerAblation(0, "mlp"), Temperature(0, 1, 2.0))


def traced(trace, edits=(), model=None):
    return (model or trace.model).trace(trace.model_input, edits=edits)


def changed(model):
    """Return a copy of a model whose weights are changed as `EDITS` change its pass."""
    model = copy.deepcopy(model)
    channels = model.config.head_dim
    of_head_1 = slice(channels, 2 * channels)
    with torch.no_grad():
        model.blocks[1].attn.proj.weight[:, :channels] = 0
        model.blocks[0].mlp.fc2.weight.zero_()
        model.blocks[0].mlp.fc2.bias.zero_()
        model.blocks[0].attn.qkv.weight[of_head_1] /= 2
        model.blocks[0].attn.qkv.bias[of_head_1] /= 2
    return model


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", KINDS)
def test_maps_of_an_edited_pass_are_those_of_a_model_with_changed_weights(kind, method):
    original = kinds.trace_of(kind)
    edited, expected = traced(original, EDITS), traced(original, model=changed(original.model))
    assert edited.output == pytest.approx(expected.output, abs=1e-4)
    ours, theirs = (explain(trace.model, trace, method=method, target=2) for trace in (edited, expected))
    assert ours.value == pytest.approx(theirs.value, rel=1e-4, nan_ok=True)
    scale = np.abs(theirs.map).max()
    np.testing.assert_allclose(ours.map / scale, theirs.map / scale, atol=1e-4)
    if METHODS[method].runs_model:
        without = explain(original.model, original, method=method, target=2)
        assert np.abs(without.map / scale - theirs.map / scale).max() > 1e-3  # the edits matter


@pytest.mark.parametrize("method", ["integrated_gradients", "occlusion", "gradient_attention"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_patch_that_no_token_reads_has_no_effect(kind, method):
    parameters = {"window": 1, "stride": 1} if method == "occlusion" else {}
    original = kinds.trace_of(kind)
    trace = traced(original, [KeyMask(original.prefix + original.grid[1] + 2)])
    explained = explain(trace.model, trace, method=method, target=2, **parameters)
    assert explained.map[1, 2] == pytest.approx(0, abs=1e-5 * float(np.abs(explained.map).max()))
    assert np.abs(explained.map).max() > 0


@pytest.mark.parametrize("kind", KINDS)
def test_the_lens_ends_with_the_output_of_the_edited_pass(kind):
    original = kinds.trace_of(kind)
    trace = traced(original, [KeyMask(original.prefix + patch) for patch in (0, 7)])
    assert lens(trace).outputs[-1] == pytest.approx(trace.output, abs=1e-5)
    assert lens(original).outputs[-1] != pytest.approx(trace.output, abs=1e-3)
