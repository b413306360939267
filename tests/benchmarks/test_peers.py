"""benchmarks.peers: the weights in other tools' layouts give equal results, so that times compare the same work."""

import numpy as np
import pytest
import timm
import torch

import vitviz
from benchmarks.alternatives import attention_hooks
from benchmarks.peers.comparison import Pair, as_table, compare, largest_difference
from benchmarks.peers.conversions import as_torchvision, as_transformers

PIXELS = torch.randn(2, 3, 28, 28, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def tiny():
    """Return a small timm model of the shipped kind, with random weights."""
    size = {"embed_dim": 24, "depth": 2, "num_heads": 3, "img_size": 28}
    model = timm.create_model("vit_small_patch14_dinov2", **size).eval().requires_grad_(False)
    random = torch.Generator().manual_seed(0)
    for parameter in model.parameters():
        parameter.copy_(torch.randn(parameter.shape, generator=random) / 3)
    return model


def test_transformers_computes_what_timm_computes(tiny):
    pytest.importorskip("transformers", reason="installed by make bench-peers only")
    theirs, captured = as_transformers(tiny), attention_hooks(tiny)
    with torch.no_grad():
        expected, found = tiny(PIXELS), theirs(PIXELS, output_attentions=True)
    assert torch.allclose(found.pooler_output, expected, rtol=1e-4, atol=1e-4)
    assert len(found.attentions) == len(captured) == 2
    for one, other in zip(found.attentions, captured, strict=True):
        assert torch.allclose(one, other, atol=1e-5)


def test_torchvision_computes_what_timm_computes(tiny):
    head = torch.randn(4, 24, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        assert torch.allclose(as_torchvision(tiny, head)(PIXELS), tiny(PIXELS) @ head.T, rtol=1e-3, atol=1e-3)


def test_vitviz_computes_what_timm_computes(tiny):
    trace, captured = vitviz.from_timm(tiny).trace(PIXELS[0]), attention_hooks(tiny)
    with torch.no_grad():
        tiny(PIXELS[:1])
    weights = [of_layer[0].numpy() for of_layer in captured]
    assert largest_difference([trace.attention(layer) for layer in range(2)], weights) < 1e-5


def pair(ours, theirs, **changes):
    return Pair("sums", 28, "numpy", lambda: [np.float32(ours)], lambda: [np.float32(theirs)], **changes)


def test_results_that_differ_are_not_timed():
    with pytest.raises(RuntimeError, match="differ"):
        compare(pair([1, 2], [1, 2.1]), 0)
    with pytest.raises(RuntimeError, match="shapes"):
        compare(pair([1, 2], [[1, 2]]), 0)
    assert compare(pair([1, 2], [1, 2.1], same=False), 0).difference is None


def test_the_table_has_a_row_and_a_detail_for_each_pair():
    results = [compare(pair([1, 2], [1, 2.00001], goal=goal, why="because"), 0) for goal in (1e-9, 1e9)]
    head, _, missed, met, _, *details = as_table(results).splitlines()
    assert len({line.count("|") for line in (head, missed, met)}) == 1
    assert "missed" in missed
    assert "missed" not in met
    assert "1e-05" in met
    assert [detail[:2] for detail in details] == ["1.", "2."]
    assert all("because" in detail for detail in details)
