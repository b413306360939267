"""Comparison before and after training, and components of several images, against plain numpy."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

import vitviz
from vitviz.analysis.comparison import Comparison, attention_divergence, joint_pca, linear_cka
from vitviz.errors import ArgumentError, ModelError
from vitviz.model.edits import HeadAblation
from vitviz.notation.marks import percent
from vitviz.ui.app import state


@pytest.fixture(scope="module")
def checkpoints():
    run = vitviz.load_run("digits")
    return [run.load(index).trace(state.samples()["digit-4"]) for index in (2, 7)]


def test_the_numbers_are_those_of_plain_numpy(checkpoints):
    before, after = checkpoints
    found = vitviz.compare(before, after)
    np.testing.assert_array_equal(found.attention, attention_divergence(before, after))
    for layer in (0, 5):
        a, b = (trace.tokens(layer).astype(np.float64) for trace in checkpoints)
        cosines = (a * b).sum(axis=1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
        assert found.token_cosine[layer] == pytest.approx(cosines.mean(), abs=1e-6)
        assert found.token_cka[layer] == pytest.approx(linear_cka(a[before.prefix :], b[before.prefix :]), abs=1e-6)
        old, new = (
            np.concatenate([p.numpy().ravel() for p in trace.model.blocks[layer].parameters()]) for trace in checkpoints
        )
        assert found.weights[layer] == pytest.approx(np.linalg.norm(new - old) / np.linalg.norm(old), abs=1e-5)
    a, b = before.output, after.output
    assert found.output.cosine == pytest.approx(a @ b / np.linalg.norm(a) / np.linalg.norm(b), abs=1e-6)
    assert found.output.relative_norm == pytest.approx(np.linalg.norm(b - a) / np.linalg.norm(a), abs=1e-6)
    assert (found.output.before.index, found.output.after.index) == (a.argmax(), b.argmax())


def test_what_changed_most_comes_first(checkpoints):
    found = vitviz.compare(*checkpoints)
    heads = found.largest("attention")
    assert len(heads) == found.attention.size
    assert [head.value for head in heads] == sorted(found.attention.ravel().tolist(), reverse=True)
    assert all(found.attention[head.layer, head.head] == head.value for head in heads)
    (layer,) = found.largest("weights", 1)
    assert (layer.layer, layer.head) == (found.weights.argmax(), None)
    assert found.largest("tokens", 1)[0].layer == found.token_cosine.argmin()
    with pytest.raises(ArgumentError, match="quantity"):
        found.largest("colours")


def test_sentences_have_the_numbers(checkpoints):
    found = vitviz.compare(*checkpoints)
    attention, tokens, weights, output = found.sentences()
    top = found.largest("attention", 1)[0]
    assert f"Head {top.head + 1} of layer {top.layer + 1}" in attention
    assert f"{top.value:.3f}" in attention
    assert f"{found.token_cosine.min():.3f}" in tokens
    assert f"layer {found.weights.argmax() + 1}" in weights
    assert found.output.after.label in output


def test_nothing_changed_between_equal_models(checkpoints):
    found = vitviz.compare(checkpoints[0], checkpoints[0])
    assert not found.attention.any()
    assert not found.weights.any()
    np.testing.assert_allclose(found.token_cosine, 1, atol=1e-6)
    np.testing.assert_allclose(found.token_cka, 1, atol=1e-6)
    assert found.output.relative_norm == 0
    assert len(found.sentences()) == 4


def test_an_ablated_head_changes_the_tokens_from_its_layer_on(checkpoints):
    trace = checkpoints[1]
    found = vitviz.compare(trace, trace.rerun(edits=[HeadAblation(2, 1)]))
    np.testing.assert_allclose(found.token_cosine[:2], 1, atol=1e-6)
    assert (found.token_cosine[2:] < 0.9999).all()
    assert not found.attention[:3].any()
    assert found.attention[3:].any()
    assert not found.weights.any()


def test_an_opened_trace_has_no_weights(checkpoints, tmp_path):
    before, after = checkpoints
    names = [f"blocks.{layer}.resid_post" for layer in range(after.layers)]
    after.with_recorded(after.activations(*names)).save(tmp_path / "after.trace")
    found = vitviz.compare(before, vitviz.open_trace(tmp_path / "after.trace"))
    assert found.weights is None
    np.testing.assert_allclose(found.attention, vitviz.compare(before, after).attention, atol=1e-6)
    assert len(found.sentences()) == 3
    with pytest.raises(ArgumentError, match="weights"):
        found.largest("weights")


def test_another_number_of_classes_leaves_out_the_output(checkpoints):
    before, after = checkpoints
    found = vitviz.compare(before, replace(after, output=after.output[:3]))
    assert found.output is None
    assert len(found.sentences()) == 3


def test_other_images_and_architectures_are_refused(checkpoints, small):
    other = checkpoints[1].model.trace(state.samples()["digit-0"])
    with pytest.raises(ArgumentError, match="different images"):
        vitviz.compare(checkpoints[0], other)
    with pytest.raises(ModelError, match="layers"):
        vitviz.compare(checkpoints[0], small.trace(torch.zeros(3, 32, 48)))


def test_images_share_one_basis_and_one_range_of_colours(model):
    traces = [model.trace(state.samples()[name], size=size) for name, size in (("cat", 112), ("astronaut", 168))]
    found = joint_pca(traces, 11)
    patches = [trace.tokens(11)[1:].astype(np.float64) for trace in traces]
    together = np.concatenate(patches)
    _, singular, axes = np.linalg.svd(together - together.mean(axis=0), full_matrices=False)
    np.testing.assert_allclose(found.components.explained, singular[:3] ** 2 / (singular**2).sum(), atol=1e-6)
    for scores, of_image in zip(found.scores, patches, strict=True):
        np.testing.assert_allclose(np.abs(scores), np.abs((of_image - together.mean(axis=0)) @ axes[:3].T), atol=1e-3)
    every = np.concatenate(found.scores)
    np.testing.assert_allclose(found.low, np.percentile(every, 1, axis=0))
    assert [found.colours(image).shape for image in (0, 1)] == [(64, 3), (144, 3)]
    assert len(joint_pca(traces[:1] * 8, 11).scores) == 8


def test_too_many_images_and_other_models_are_refused(small, checkpoints):
    trace = small.trace(torch.zeros(3, 32, 48))
    with pytest.raises(ArgumentError, match="9 traces"):
        joint_pca([trace] * 9, 0)
    with pytest.raises(ArgumentError):
        joint_pca([], 0)
    with pytest.raises(ModelError, match="different models"):
        joint_pca([trace, checkpoints[0]], 0)


def changed(change) -> Comparison:
    """Compare the digits model with a copy of which the blocks were changed."""
    before = vitviz.load("digits")
    after = copy.deepcopy(before)
    with torch.no_grad():
        change(after.blocks)
    return vitviz.compare(*(model.trace(state.samples()["digit-4"]) for model in (before, after)))


def test_tokens_that_differ_slightly_are_not_called_equal():
    found = changed(lambda blocks: blocks[2].attn.qkv.weight.mul_(1.001))
    assert not found.token_change[:2].any()
    assert (found.token_change[2:] > 0).all()
    assert (found.token_change < 1e-2).all()
    attention, tokens, weights, _ = found.sentences()
    assert "equal after all" not in tokens
    assert f"layer {found.token_change.argmax() + 1}" in tokens
    assert percent(float(found.token_change.max())) in tokens
    assert "0.000" not in attention
    assert "layer 3" in weights
    assert "5 layers" in weights, "those that are equal"


def test_a_change_of_norms_is_a_change():
    before = vitviz.load("digits").trace(state.samples()["digit-4"])
    names = [f"blocks.{layer}.resid_post" for layer in range(before.layers)]
    longer = before.with_recorded({name: 2 * value for name, value in before.activations(*names).items()})
    found = vitviz.compare(before, longer)
    np.testing.assert_allclose(found.token_cosine, 1, atol=1e-6)
    np.testing.assert_allclose(found.token_change, 1, atol=1e-6)
    assert "equal" not in found.sentences()[1]


def test_numbers_that_are_not_defined_are_in_no_sentence():
    before = vitviz.load("digits")
    zero = copy.deepcopy(before)
    for parameter in zero.parameters():
        parameter.data.zero_()
    traces = [model.trace(state.samples()["digit-4"]) for model in (zero, before)]
    for pair in (traces, traces[::-1], (traces[0], traces[0])):
        found = vitviz.compare(*pair)
        assert not any(word in sentence for sentence in found.sentences() for word in ("nan", "inf"))
    assert not found.token_change.any()
    assert not found.weights.any()
    assert (found.token_cosine == 1).all(), "equal tokens, also if they are zero"
    assert np.isnan(vitviz.compare(*traces).weights).all()
