"""Measurements that answer why a step is there: hand calculations, and PyTorch on models of all kinds."""

import math

import numpy as np
import pytest
import torch

from tests.support.explained_traces import ALL, explained
from vitviz import VitvizError
from vitviz.walkthrough.steps import block_by_hand
from vitviz.walkthrough.steps.clear_head import clearest_head
from vitviz.walkthrough.steps.measures import (
    Spread,
    entropy,
    head_overlaps,
    update_of,
    with_and_without_scale,
    without_activation,
)


def test_entropy_on_paper():
    assert entropy([0.5, 0.25, 0.25]) == pytest.approx(1.5)
    assert entropy([[2, 1, 1], [0, 7, 0], [1, 1, 1]]) == pytest.approx([1.5, 0, math.log2(3)])
    with pytest.raises(VitvizError, match="Negative"):
        entropy([1, -1])


def test_the_spread_of_scores_on_paper():
    spread = Spread.of(np.array([0, math.log(3)]))
    assert spread.std == pytest.approx(math.log(3) / 2)
    assert spread.largest == pytest.approx(3 / 4)
    assert spread.entropy == pytest.approx(2 - 3 / 4 * math.log2(3))


def test_overlaps_on_paper():
    assert head_overlaps([[1, 0, 0], [0, 0.5, 0.5], [0.5, 0.5, 0]]) == pytest.approx(
        np.array([[1, 0, 0.5], [0, 1, 0.5], [0.5, 0.5, 1]])
    )
    assert head_overlaps([[2, -2], [0.5, 0.5]])[0, 1] == pytest.approx(1)


def test_updates_on_paper():
    update = update_of([[3, 4], [1, 0]], [[0, -4], [0, 1]])
    assert update.ratio == pytest.approx([4 / 5, 1])
    assert update.cosine == pytest.approx([3 / 5, 1 / math.sqrt(2)])


@pytest.mark.parametrize("kind", ALL)
def test_scores_with_and_without_the_root_of_d(kind):
    trace = explained(kind)
    head = block_by_hand(trace, 1, 0, 3, 1).head
    halves = 2 if trace.config.differential else 1
    q, k = (torch.tensor(one).double() for one in (trace.queries(1)[0, 3], trace.keys(1)[0]))
    for half in range(halves):
        divided, plain = with_and_without_scale(head, half)
        channels = slice(half * len(q) // halves, (half + 1) * len(q) // halves)
        products = k[:, channels] @ q[channels]
        bias = 0 if head.bias is None else torch.tensor(head.bias).double()
        for spread, scores in ((divided, products / math.sqrt(len(q) / halves) + bias), (plain, products + bias)):
            row = torch.distributions.Categorical(logits=scores)
            assert spread.std == pytest.approx(float(scores.std(correction=0)), rel=1e-4)
            assert spread.largest == pytest.approx(float(row.probs.max()), rel=1e-3)
            assert spread.entropy == pytest.approx(float(row.entropy()) / math.log(2), rel=1e-3, abs=1e-4)


@pytest.mark.parametrize("kind", ALL)
def test_an_mlp_without_its_activation_is_one_linear_map(kind):
    trace = explained(kind)
    block = block_by_hand(trace, 1, 0, 3, 1)
    found, mlp = without_activation(block.mlp), trace.model.blocks[1].mlp
    assert (found is None) == (trace.config.mlp == "gated" or trace.config.mlp_norm)
    if found is None:
        return
    assert found.two_maps == pytest.approx(found.one_map, rel=1e-6, abs=1e-6)
    x = torch.tensor(block.mlp.entered).float()
    with torch.no_grad():
        assert found.two_maps == pytest.approx(float(mlp.fc2(mlp.fc1(x))[0]), rel=1e-3, abs=1e-4)
        assert found.activated == pytest.approx(float(mlp(x[None])[0, 0]), rel=1e-3, abs=1e-4)
    assert found.activated != pytest.approx(found.two_maps)


@pytest.mark.parametrize("kind", ALL)
def test_the_clearest_head_has_the_lowest_entropy(kind):
    trace = explained(kind)
    for query in {0, trace.token_count - 1}:
        found, heads = clearest_head(trace, query), {}
        for layer in range(trace.layers // 2, trace.layers):
            for head in range(trace.heads):
                weights = np.abs(trace.attention(layer, head, query).astype(np.float64))
                shares = weights / weights.sum()
                bits = -sum(share * math.log2(share) for share in shares if share)
                heads[layer, head] = bits, int(weights.argmax()) not in (query, *range(trace.prefix))
        elsewhere = {place: bits for place, (bits, there) in heads.items() if there}
        candidates = elsewhere or {place: bits for place, (bits, _) in heads.items()}
        assert candidates[found.layer, found.head] == pytest.approx(min(candidates.values()), abs=1e-5)
        assert found.entropy == pytest.approx(min(candidates.values()), abs=1e-5)
        assert found.to_another_patch == bool(elsewhere)
        assert found.first_layer == trace.layers // 2


def test_a_token_that_does_not_exist_has_no_clearest_head(small_trace):
    with pytest.raises(IndexError, match="999"):
        clearest_head(small_trace, 999)
