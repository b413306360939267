"""Deletion and insertion curves: hand calculations, end points and errors."""

import numpy as np
import pytest
import torch

import vitviz
from tests.support import random_models as kinds
from tests.support.two_channel_models import tiny_model, tiny_trace
from vitviz import HookError, ModelError, VitvizError
from vitviz.analysis.attribution import ClassTarget, DifferenceTarget, explain
from vitviz.analysis.attribution.faithfulness import BASELINES, baseline_pixels, curves, endpoints, random_curves


@pytest.fixture(scope="module")
def line():
    """Return four mean-pooled patches: pixel p adds (p + sign p) / 4 to y0 and -(sign p) / 4 to y1."""
    model = tiny_model(4, class_token=False, depth=1, pooling="mean")
    return model, tiny_trace(model, 8, 4, -2, -6)


def test_curves_by_hand(line):
    # To y0 - y1 a patch adds (p + 2 sign p) / 4, and the mean pixel is 1.
    model, trace = line
    adds = {8: 10 / 4, 4: 6 / 4, -2: -4 / 4, -6: -8 / 4, 1: 3 / 4}
    found = curves(model, trace, np.array([[4, 3, 2, 1]]), DifferenceTarget(0, 1), baseline="mean", steps=4)
    gone = [[8, 4, -2, -6], [1, 4, -2, -6], [1, 1, -2, -6], [1, 1, 1, -6], [1, 1, 1, 1]]
    come = [[1, 1, 1, 1], [8, 1, 1, 1], [8, 4, 1, 1], [8, 4, -2, 1], [8, 4, -2, -6]]
    assert found.fraction.tolist() == [0, 0.25, 0.5, 0.75, 1]
    deletion, insertion = ([sum(adds[p] for p in row) for row in rows] for rows in (gone, come))
    assert found.deletion == pytest.approx(deletion)
    assert found.insertion == pytest.approx(insertion)
    assert found.deletion_auc == pytest.approx((deletion[0] / 2 + sum(deletion[1:4]) + deletion[4] / 2) / 4)
    assert found.insertion_auc == pytest.approx((insertion[0] / 2 + sum(insertion[1:4]) + insertion[4] / 2) / 4)


def test_the_right_order_is_better_than_the_wrong_one_and_chance_is_between(line):
    model, trace = line
    right = np.array([[4, 3, 2, 1]])
    target = ClassTarget(0)
    good, bad = (curves(model, trace, order, target, baseline="mean") for order in (right, -right))
    chance = random_curves(model, trace, target, baseline="mean", seeds=20)
    assert good.deletion_auc < chance.deletion_auc < bad.deletion_auc
    assert good.insertion_auc > chance.insertion_auc > bad.insertion_auc


@pytest.mark.parametrize("baseline", BASELINES)
def test_the_ends_are_the_image_and_the_baseline(baseline, small, small_trace):
    found = curves(small, small_trace, np.arange(24).reshape(4, 6), ClassTarget(3), baseline=baseline, steps=5)
    with torch.no_grad():
        start = small(baseline_pixels(small_trace, baseline)[None]).softmax(dim=-1)[0, 3].item()
    image = torch.tensor(small_trace.output).softmax(dim=-1)[3].item()
    assert found.deletion[[0, -1]] == pytest.approx([image, start], abs=1e-5)
    assert found.insertion[[0, -1]] == pytest.approx([start, image], abs=1e-5)
    assert found.fraction == pytest.approx(np.array([0, 5, 10, 14, 19, 24]) / 24)
    assert not any(curve.flags.writeable for curve in (found.fraction, found.deletion, found.insertion))
    assert endpoints(small, small_trace, ClassTarget(3), baseline=baseline) == pytest.approx((image, start), abs=1e-5)


def test_classes_that_are_questions_of_their_own_have_their_own_probability():
    model = vitviz.VisionTransformer(kinds.PLAIN, "many", output_kind="independent").requires_grad_(False)
    for parameter in model.parameters():
        parameter.data.fill_(0.1)
    trace = model.trace(torch.zeros(3, 32, 48))
    found = curves(model, trace, np.zeros((4, 6)), ClassTarget(0))
    assert found.deletion[0] == pytest.approx(1 / (1 + np.exp(-trace.output[0])), rel=1e-5)


def test_random_curves_are_the_mean_of_random_orders_and_the_same_every_time(small, small_trace):
    found, again = (random_curves(small, small_trace, None, seeds=3) for _ in range(2))
    assert np.array_equal(found.deletion, again.deletion)
    single = []
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(24)
        ranks = np.empty(24)
        ranks[order] = -np.arange(24)
        single.append(curves(small, small_trace, ranks.reshape(4, 6), None))
    assert found.deletion == pytest.approx(np.mean([one.deletion for one in single], axis=0), abs=1e-5)
    assert found.insertion_auc == pytest.approx(np.mean([one.insertion_auc for one in single]), abs=1e-5)


def test_no_target_means_the_one_that_is_explained(model, photo):
    trace = model.trace(photo, size=70)
    found = curves(model, trace, explain(model, trace, method="attention").map, None, steps=2)
    assert found.deletion[0] == pytest.approx(1, abs=1e-4)  # the image's own feature


def test_more_steps_than_patches_are_one_a_patch(line):
    model, trace = line
    assert curves(model, trace, np.zeros((1, 4)), None, steps=100).fraction.tolist() == [0, 0.25, 0.5, 0.75, 1]


def test_progress_counts_all_passes_and_can_stop(small, small_trace):
    told = []
    random_curves(small, small_trace, None, steps=4, seeds=2, progress=lambda *now: told.append(now))
    assert told[-1] == (20, 20)

    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        curves(small, small_trace, np.zeros((4, 6)), None, progress=stop)


def test_a_baseline_has_the_mean_colour_or_no_detail(trace):
    pixels, blurred, mean = trace.pixels(), *(baseline_pixels(trace, kind).numpy() for kind in ("blur", "mean"))
    assert mean == pytest.approx(np.broadcast_to(pixels.mean(axis=(1, 2), keepdims=True), pixels.shape), abs=1e-5)
    assert blurred.mean() == pytest.approx(pixels.mean(), abs=0.1)
    assert np.abs(np.diff(blurred, axis=2)).max() < np.abs(np.diff(pixels, axis=2)).max() / 20
    assert np.ptp(blurred) > 0.1


def test_a_blur_by_hand():
    # All columns are equal but one: far from it nothing changes, and the blur only distributes the difference.
    model = tiny_model(16, class_token=False, depth=1, pooling="mean", patch_size=1)
    trace = model.trace(torch.nn.functional.one_hot(torch.tensor(7), 16).float().expand(1, 16, 16))
    blurred = baseline_pixels(trace)
    expected = np.exp(-(np.arange(-6, 7) ** 2) / (2 * 2.0**2))  # the standard deviation is 16 / 8
    assert blurred[0, 8, 1:14].numpy() == pytest.approx(expected / expected.sum(), abs=1e-5)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"baseline": "black"}, "'black'"),
        ({"steps": 0}, "whole number"),
        ({"steps": 1.5}, "whole number"),
        ({"attribution_map": np.zeros((6, 4))}, r"shape \[6, 4\]"),
        ({"attribution_map": np.full((4, 6), np.nan)}, "not finite"),
        ({"attribution_map": np.full((4, 6), "high")}, "numbers"),
        ({"target": 3.5}, "has to be"),
    ],
)
def test_what_has_no_curves(change, error, small, small_trace):
    given = {"attribution_map": np.zeros((4, 6)), "target": None} | change
    with pytest.raises(VitvizError, match=error):
        curves(small, small_trace, **given)


@pytest.mark.parametrize("seeds", [0, -1, 1.5, None])
def test_random_orders_are_counted(seeds, small, small_trace):
    with pytest.raises(VitvizError, match="whole number"):
        random_curves(small, small_trace, None, seeds=seeds)


def test_traces_that_have_no_curves(small, model, small_trace):
    with pytest.raises(ModelError, match=r"trace\.model"):
        random_curves(model, small_trace, None)
    with vitviz.edit({"blocks.0.attn.z": lambda z: z * 0}):
        edited = small.trace(torch.zeros(3, 32, 48))
    with pytest.raises(HookError, match="edit"):
        random_curves(small, edited, None)
