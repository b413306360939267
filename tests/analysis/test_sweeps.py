"""vitviz.analysis.ablation.sweep: each effect equals that of a single ablation, for any batch size."""

import numpy as np
import pytest
import torch

import vitviz
from tests.support.edited_traces import KINDS, again, trace_of_kind
from tests.support.explained_traces import explained
from tests.support.facts import mentions
from vitviz import edit
from vitviz.analysis.ablation import class_score, distance, sweep_heads, sweep_layers, sweep_patches
from vitviz.analysis.ablation.edit_tools import patch_edit
from vitviz.analysis.ablation.sweep import each_head, each_layer, each_patch, entering
from vitviz.errors import ArgumentError, EditError, ModelError
from vitviz.model import hooks
from vitviz.model.edits import HeadAblation, SublayerAblation


@pytest.fixture(params=KINDS)
def seen(request, monkeypatch):
    return trace_of_kind(request.param, monkeypatch)


def score_of(seen):
    return class_score(seen.model, 3) if seen.model.is_classifier else distance(seen)


@pytest.mark.parametrize("how", ["zero", "mean"])
def test_sweeps_of_heads_and_layers_are_single_ablations(seen, how):
    score, told = score_of(seen), []
    heads = sweep_heads(seen.model, seen, score, how=how, progress=lambda *now: told.append(now))
    layers = sweep_layers(seen.model, seen, score, how=how)
    assert heads.shape == (seen.layers, seen.heads)
    assert layers.shape == (seen.layers, 2)
    assert heads.dtype == layers.dtype == np.float32
    assert told == [(layer * seen.heads, seen.layers * seen.heads) for layer in range(1, seen.layers + 1)]

    def effect(off):
        outputs = [torch.tensor(one.output)[None] for one in (again(seen, off), seen)]
        return float(score.of(outputs[0]) - score.of(outputs[1]))

    for layer in range(seen.layers):
        for head in range(0, seen.heads, 2):
            assert heads[layer, head] == pytest.approx(effect(HeadAblation(layer, head, how)), abs=1e-5)
        for column, part in enumerate(("attention", "mlp")):
            assert layers[layer, column] == pytest.approx(effect(SublayerAblation(layer, part, how)), abs=1e-5)


@pytest.mark.parametrize("how", ["keys", "mean"])
def test_sweeps_of_patches_are_single_ablations(seen, how):
    score = score_of(seen)
    found = sweep_patches(seen.model, seen, score, how=how)
    assert found.shape == seen.grid
    before = float(score.of(torch.tensor(seen.output)[None]))
    for patch in (0, 5, 11):
        off = again(seen, patch_edit(how, seen.prefix + patch))
        effect = float(score.of(torch.tensor(off.output)[None])) - before
        assert found.flat[patch] == pytest.approx(effect, abs=1e-5)


def test_a_sweep_does_not_run_the_layers_below_again(monkeypatch):
    seen = explained("digits")
    runs = [0] * seen.layers
    for layer, block in enumerate(seen.model.blocks):
        forward = block.forward
        monkeypatch.setattr(block, "forward", lambda *a, f=forward, i=layer: runs.__setitem__(i, runs[i] + 1) or f(*a))
    sweep_heads(seen.model, seen, class_score(seen.model, 3))
    assert runs == [layer + 2 for layer in range(seen.layers)]


def test_a_sweep_is_not_disturbed_and_disturbs_nobody_while_it_waits(small_trace):
    score = class_score(small_trace.model, 1, "logit")
    wanted = sweep_heads(small_trace.model, small_trace, score)
    with edit({"blocks.0.attn.z": torch.zeros_like}):
        rows = list(each_head(small_trace.model, small_trace, score))
        small_trace.model.trace(small_trace._pixels())
    assert np.array_equal(np.stack(rows), wanted)
    waiting = each_head(small_trace.model, small_trace, score)
    next(waiting)
    assert hooks._edits.get() == ()


def test_a_sweep_can_go_on_where_it_stopped(small_trace, monkeypatch):
    score = class_score(small_trace.model, 1, "logit")
    recorded = small_trace.with_recorded(small_trace.activations(*entering(small_trace)))
    for each, count in ((each_head, 3), (each_layer, 3), (each_patch, 3)):
        wanted = list(each(small_trace.model, small_trace, score))
        assert len(wanted) == count
        found = [next(each(small_trace.model, recorded, score, begin=step)) for step in range(count)]
        assert all(np.allclose(a, b, atol=1e-5) for a, b in zip(found, wanted, strict=True))

    def unexpected(*_):
        raise AssertionError("a whole pass for what was recorded")

    monkeypatch.setattr(vitviz.VisionTransformer, "forward", unexpected)
    next(each_head(small_trace.model, recorded, score, begin=1))


def test_sweeps_begin_without_edits(small_trace):
    edited = again(small_trace, HeadAblation(0, 0))
    for sweep in (sweep_heads, sweep_layers, sweep_patches):
        with pytest.raises(EditError, match="without edits"):
            sweep(edited.model, edited, distance(edited))


def test_a_pass_under_a_raw_edit_is_no_beginning(small_trace):
    with edit({"blocks.0.attn.out": torch.zeros_like}):
        edited = small_trace.model.trace(small_trace._pixels(), record=entering(small_trace))
    for sweep in (sweep_heads, sweep_layers, sweep_patches):
        with pytest.raises(EditError, match="without edits"):
            sweep(edited.model, edited, distance(edited))


def test_what_cannot_be_swept_is_refused(small_trace, trace):
    score = distance(small_trace)
    for sweep, how in ((sweep_heads, "keys"), (sweep_layers, "off"), (sweep_patches, "zero")):
        with pytest.raises(EditError, match=f"'{how}'"):
            sweep(small_trace.model, small_trace, score, how=how)
        with pytest.raises(EditError, match=r"trace\.model"):
            sweep(trace.model, small_trace, score)
    for index in (1.0, True, None):
        with pytest.raises(ArgumentError, match="whole number"):
            class_score(small_trace.model, index)


def test_scores(small_trace, trace):
    model = small_trace.model
    outputs = torch.tensor([[0.0, 1, 2, 3, 4], [4, 3, 2, 1, 0]])
    assert class_score(model, 1, "logit").of(outputs).tolist() == [1, 3]
    shares = np.exp(outputs.numpy()) / np.exp(outputs.numpy()).sum(axis=1, keepdims=True)
    assert class_score(model, 1).of(outputs).numpy() == pytest.approx(shares[:, 1])
    turned = distance(small_trace).of(
        torch.tensor(np.stack([small_trace.output, 3 * small_trace.output, -small_trace.output]))
    )
    assert turned.numpy() == pytest.approx([0, 0, 2], abs=1e-6)
    with pytest.raises(IndexError, match=mentions("class 5", 5)):
        class_score(model, 5)
    with pytest.raises(ModelError, match=trace.model.name):
        class_score(trace.model, 0)
    with pytest.raises(EditError, match="not 'loss'"):
        class_score(model, 0, "loss")
