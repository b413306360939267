"""Attention within, into and out of a region: plain loops over the weights, and uniform attention."""

import numpy as np
import pytest
import torch

import vitviz
from tests.support.random_models import CONFIGS, trace_of
from vitviz.analysis.regions import RELATIONS, region_attention
from vitviz.errors import ArgumentError

REGION = (1, 2, 7, 8)  # patches, from 0


def tokens_of(trace):
    return [trace.prefix + patch for patch in REGION]


@pytest.mark.parametrize("relation", RELATIONS)
@pytest.mark.parametrize("kind", CONFIGS)
def test_values_are_means_of_weights(kind, relation):
    trace = trace_of(kind)
    region = tokens_of(trace)
    others = [token for token in range(trace.prefix, trace.token_count) if token not in region]
    queries, keys = {"within": (region, region), "into": (others, region), "out": (region, others)}[relation]
    found = region_attention(trace, [*reversed(region), region[0]], relation)
    assert found.tokens == tuple(region)
    for layer in range(trace.layers):
        for head in range(trace.heads):
            weights = trace.attention(layer, head)
            mean = np.mean([[weights[q, k] for k in keys] for q in queries], dtype=np.float64)
            uniform = weights[0].sum(dtype=np.float64) / trace.token_count
            assert found.values[layer, head] == pytest.approx(mean / uniform, rel=1e-4)


@pytest.mark.parametrize("relation", RELATIONS)
@pytest.mark.parametrize("patches", [(0,), REGION, range(23)])
def test_uniform_attention_is_1(small, photo, relation, patches):
    model = vitviz.VisionTransformer(small.config, "uniform")
    model.load_state_dict(small.state_dict())
    for block in model.blocks:
        for parameter in block.attn.qkv.parameters():
            torch.nn.init.zeros_(parameter)
    trace = model.trace(photo)
    values = region_attention(trace, [trace.prefix + patch for patch in patches], relation).values
    np.testing.assert_allclose(values, 1, rtol=1e-5)


def test_the_best_heads_come_first():
    trace = trace_of("pooled")
    found = region_attention(trace, tokens_of(trace))
    best = found.best(4)
    assert len(best) == 4
    assert [value for *_, value in best] == sorted(found.values.ravel().tolist(), reverse=True)[:4]
    assert all(found.values[layer, head] == value for layer, head, value in best)


@pytest.mark.parametrize(
    ("tokens", "relation", "error"),
    [
        ([], "within", ArgumentError),
        ([0], "within", ArgumentError),
        ([999], "within", IndexError),
        ([5], "nearby", ArgumentError),
        (range(3, 27), "out", ArgumentError),
        (range(3, 27), "into", ArgumentError),
    ],
)
def test_other_regions_are_refused(small, photo, tokens, relation, error):
    with pytest.raises(error):
        region_attention(small.trace(photo), list(tokens), relation)
