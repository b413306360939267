"""Worksheets: each answer recomputed from the pixels, the weights or the attention matrices."""

import math

import numpy as np
import pytest
import timm
import torch

import vitviz
from tests.support import random_models as kinds
from tests.support.explained_traces import ALL, explained
from vitviz.analysis.attention import head_statistics
from vitviz.errors import ArgumentError
from vitviz.walkthrough.steps import head_steps, record_layer
from vitviz.walkthrough.worksheet import MOST_PUPILS, chosen_patches, heads, other_sizes, worksheets
from vitviz.walkthrough.worksheet.prediction import prediction

TRACES = {f"explained: {kind}": (explained, kind) for kind in ALL} | {
    f"kinds: {kind}": (kinds.trace_of, kind) for kind in kinds.CONFIGS
}


@pytest.fixture(params=TRACES)
def any_trace(request):
    made_by, kind = TRACES[request.param]
    return made_by(kind)


def distance(trace, one: int, other: int) -> float:
    """Distance between the centres of two patches, in pixels."""
    (down, right), (below, beyond) = divmod(one, trace.grid[1]), divmod(other, trace.grid[1])
    return trace.config.patch_size * math.hypot(down - below, right - beyond)


def attention_distance(trace, layer: int, head: int, patch: int) -> float:
    weights = np.abs(trace.attention(layer)[head, trace.prefix + patch, trace.prefix :]).astype(float)
    return sum(weight * distance(trace, patch, key) for key, weight in enumerate(weights)) / weights.sum()


def test_every_answer_follows_from_what_is_printed(any_trace):
    trace = any_trace
    layer, head, patches = trace.layers - 1, trace.heads - 1, trace.grid[0] * trace.grid[1]
    made = worksheets(trace, layer, head, 1, min(3, patches))
    recording = record_layer(trace, layer)
    for sheet in made:
        assert (sheet.sizes.height, sheet.sizes.width) == trace.pixels().shape[1:]
        assert sheet.sizes.tokens == trace.token_count
        assert sheet.sizes.patch_dim == trace.config.patch_size**2 * trace.config.in_chans
        dot, query = sheet.dot, trace.prefix + sheet.patch
        steps = head_steps(recording, head, query, dot.key)  # from the residual stream and the weights
        products = steps.products[: dot.length]
        assert (dot.query, dot.length) == (query, round(steps.scale**-2))
        np.testing.assert_allclose(dot.q, steps.q[list(dot.channels)], atol=0.6 * 10**-dot.decimals)
        np.testing.assert_allclose(dot.k, steps.k[dot.key][list(dot.channels)], atol=0.6 * 10**-dot.decimals)
        others = products.sum() - products[list(dot.channels)].sum()
        assert dot.rest == pytest.approx(others, abs=0.6 * 10**-dot.decimals + 1e-4 * np.abs(products).sum())
        assert (dot.bias is None) == (steps.bias is None)
        by_hand = (dot.rest + sum(round(q * k, 6) for q, k in zip(dot.q, dot.k, strict=True))) / math.sqrt(dot.length)
        by_hand += dot.bias or 0
        assert dot.score == pytest.approx(by_hand, abs=1e-4)
        assert dot.score == pytest.approx(np.ravel(steps.score)[0], abs=0.11)
        assert dot.model == pytest.approx(np.ravel(steps.score)[0], abs=1e-3)


def test_heads_are_in_the_order_of_their_distances(any_trace):
    trace = any_trace
    means = head_statistics(trace).distance
    (sheet,) = worksheets(trace, 0, 0, 1)
    order = sheet.heads
    assert len(set(order.heads)) == len(order.heads) == min(4, trace.layers * trace.heads - 1)
    assert (0, 0) not in order.heads, "its largest weight is to be predicted"
    printed = [f"{distance:.1f}" for distance in order.distances]
    assert len(set(printed)) == len(printed)
    wanted = [attention_distance(trace, layer, head, sheet.patch) for layer, head in order.heads]
    np.testing.assert_allclose(order.distances, wanted, rtol=1e-3)
    assert list(order.order) == sorted(range(len(wanted)), key=wanted.__getitem__)
    np.testing.assert_allclose(order.means, [means[place] for place in order.heads], rtol=1e-6)
    for place, weights in zip(order.heads, order.weights, strict=True):
        np.testing.assert_array_equal(weights, trace.attention(*place, trace.prefix + sheet.patch)[trace.prefix :])


@pytest.mark.parametrize(("equal", "left"), [(5, 4), (6, 3), (7, 2), (8, None)])
def test_heads_with_equal_distances_are_not_to_be_ordered(equal, left, monkeypatch):
    trace = kinds.trace_of("mean")  # nine heads, of which one is left out
    same, different = 20 + np.linspace(0, 0.04, equal), 30 + 10 * np.arange(8 - equal)
    distances = np.concatenate([[0.0], same, different]).astype(np.float32)
    monkeypatch.setattr(heads, "patch_attention_distances", lambda *_: distances.reshape(3, 3))
    order = heads.head_order(trace, 3, np.ones((3, 3)), (0, 0))
    assert (order and len(order.heads)) == left
    if order:
        assert len({f"{one:.1f}" for one in order.distances}) == left


def test_an_option_with_the_same_printed_weight_is_not_offered(monkeypatch):
    trace = kinds.trace_of("mean")
    weights = np.full(24, 0.02, np.float32)
    weights[[5, 6]] = 0.30001, 0.30002  # both 30.0 %
    monkeypatch.setattr(vitviz.Trace, "attention", lambda *_, **__: weights)
    task = prediction(trace, 0, 0, 5)
    assert task.options[task.answer] == 6
    assert 5 not in task.options
    monkeypatch.setattr(vitviz.Trace, "attention", lambda *_, **__: np.full(24, 1 / 24, np.float32))
    assert prediction(trace, 0, 0, 5) is None


def test_the_prediction_is_the_largest_weight_of_all(any_trace):
    trace = any_trace
    (sheet,) = worksheets(trace, 1, 0, 2)
    task = sheet.prediction
    weights = trace.attention(1)[0, trace.prefix + sheet.patch]
    assert len(set(task.options)) == len(task.options) == 4
    assert task.options[task.answer] == int(weights.argmax())
    np.testing.assert_allclose(task.weights, weights[list(task.options)], rtol=1e-5)
    assert trace.prefix + sheet.patch in task.options
    assert sheet.dot.key not in (task.options[task.answer], trace.prefix + sheet.patch), "it would tell the answer"


def test_scores_are_those_of_timm():
    image = torch.rand(3, 224, 224, generator=torch.Generator().manual_seed(1))
    theirs = timm.create_model("vit_tiny_patch16_224", num_classes=3).eval()
    recorded = []
    hook = theirs.blocks[2].attn.qkv.register_forward_hook(lambda module, given, made: recorded.append(made.detach()))
    with torch.no_grad():
        theirs(image[None])
    hook.remove()  # vitviz refuses models with hooks
    trace = vitviz.from_timm(theirs).trace(image)
    for sheet in worksheets(trace, 2, 1, 40, 5):
        q, k, _ = recorded[0][0].reshape(197, 3, 3, 64).permute(1, 2, 0, 3)[:, 1]
        score = float(q[sheet.dot.query] @ k[sheet.dot.key]) / 8
        assert sheet.dot.score == pytest.approx(score, abs=0.11)
        assert f"{sheet.dot.score:.1f}" == f"{sheet.dot.model:.1f}"


@pytest.mark.parametrize(
    ("grid", "sides"), [((4, 6), {2, 4, 16}), ((3, 4), {2, 4}), ((1, 1), {2, 4}), ((7, 7), {2, 4, 7, 14, 28})]
)
def test_other_patch_sizes_divide_the_image(grid, sides):
    trace = kinds.trace_of("mean", grid)
    found = other_sizes(trace)
    assert {size.patch for size in found} == sides
    for size in found:
        rows, columns = (range(0, 8 * side, size.patch) for side in grid)
        assert (size.patches, size.remainder) == (len(rows) * len(columns), (0, 0))
        assert size.attention_weights == (size.patches + trace.prefix) ** 2


@pytest.mark.parametrize("patches", [1, 2, 12, 40, 64, 256, 391])
def test_pupils_have_different_patches(patches):
    count = min(patches, MOST_PUPILS)
    chosen = chosen_patches(patches, patches - 1, count)
    assert chosen[0] == patches - 1
    assert len(set(chosen)) == count
    assert all(0 <= patch < patches for patch in chosen)


def test_a_class_set_is_about_different_patches_and_the_same_each_time():
    trace = kinds.trace_of("differential")
    made, again = (worksheets(trace, 0, 1, 7, 24) for _ in range(2))
    assert [sheet.number for sheet in made] == list(range(1, 25))
    assert {sheet.patch for sheet in made} == set(range(24))
    assert len({sheet.other.patch for sheet in made}) > 1
    for one, other in zip(made, again, strict=True):
        assert (one.dot.q, one.heads.heads) == (other.dot.q, other.heads.heads)
        assert one.prediction.options == other.prediction.options


def test_a_single_patch_leaves_out_what_cannot_be_asked():
    (sheet,) = worksheets(kinds.trace_of("mean", (1, 1)), 0, 0, 0)
    assert (sheet.heads, sheet.prediction) == (None, None)
    assert sheet.dot.key == sheet.dot.query == 0


@pytest.mark.parametrize("count", [0, 25, 41, -1, 2.5])
def test_an_impossible_number_of_pupils_is_refused(count):
    with pytest.raises(ArgumentError):
        worksheets(kinds.trace_of("mean"), 0, 0, 0, count)


@pytest.mark.parametrize("place", [(9, 0, 0), (0, 9, 0), (0, 0, 24)])
def test_a_place_that_does_not_exist_is_refused(place):
    with pytest.raises(IndexError):
        worksheets(kinds.trace_of("mean"), *place)
