"""vitviz.model.attention_weights: the softmax of scaled products, in place."""

import numpy as np
import pytest
import torch

from tests.support.random_models import CONFIGS, trace_of
from vitviz import capture
from vitviz.model.attention_weights import attention_weights


def noise(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)))


@pytest.mark.parametrize("batch", [(), (1,), (2,)], ids=str)
def test_it_is_the_softmax_of_scaled_products(batch):
    q, k = noise(*batch, 7, 3, 4).transpose(-3, -2), noise(*batch, 5, 3, 4).transpose(-3, -2)  # as a model's heads
    before = q.clone(), k.clone()
    found = attention_weights(q, k, 0.3)
    assert found.shape == (*batch, 3, 7, 5)
    assert torch.allclose(found, (0.3 * q @ k.mT).softmax(dim=-1), atol=1e-6)
    assert torch.equal(q, before[0])
    assert torch.equal(k, before[1])


@pytest.mark.parametrize("batch", [(), (2,)], ids=str)
def test_a_bias_is_added_to_the_scores(batch):
    q, k, bias = noise(*batch, 3, 7, 4), noise(*batch, 3, 5, 4), noise(3, 7, 5)
    before = bias.clone()
    assert torch.allclose(attention_weights(q, k, 2.0, bias), (2 * q @ k.mT + bias).softmax(dim=-1), atol=1e-6)
    assert torch.equal(bias, before)


def test_extreme_scores_do_not_overflow():
    found = attention_weights(torch.tensor([[[1e4], [-1e4]]]), torch.tensor([[[1e4], [1.0]]]), 1.0)
    assert torch.equal(found, torch.tensor([[[1.0, 0.0], [0.0, 1.0]]]))


def test_other_precisions_stay_as_they_are():
    q, k = noise(3, 7, 4).double(), noise(3, 5, 4).double()
    found = attention_weights(q, k, 1.0)
    assert found.dtype == torch.float64
    assert torch.allclose(found, (q @ k.mT).softmax(dim=-1))


@pytest.mark.parametrize("kind", CONFIGS)
def test_weights_and_output_are_those_of_the_scores(kind):
    """Weights are computed in one step if nothing listens to the scores, and in two steps otherwise."""
    trace = trace_of(kind)
    pixels, name = torch.tensor(trace.pixels())[None].expand(2, -1, -1, -1), "blocks.*.attn.weights"
    with torch.no_grad():
        with capture(name) as at_once:
            output = trace.model(pixels)
        with capture(name, "blocks.*.attn.scores") as in_steps:
            assert torch.allclose(output, trace.model(pixels), rtol=1e-4, atol=1e-4)
    for layer in range(trace.layers):
        weights = at_once[f"blocks.{layer}.attn.weights"]
        assert torch.allclose(weights, in_steps[f"blocks.{layer}.attn.weights"], atol=1e-5)
        assert np.allclose(trace.attention(layer), weights[1], atol=1e-5)


def test_gradients_pass_through_weights_captured_alone():
    trace = trace_of("mean")
    pixels = torch.tensor(trace.pixels())[None].requires_grad_()
    with capture("blocks.0.attn.weights") as kept:
        output = trace.model(pixels)
    gradient = torch.autograd.grad(output[0, 0], [kept["blocks.0.attn.weights"], pixels])
    assert all(part.abs().max() > 0 for part in gradient)
