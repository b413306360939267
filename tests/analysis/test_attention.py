"""vitviz.analysis.attention: attention distance and entropy, by hand and by a naive loop."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from tests.support.random_models import trace_of
from vitviz import Trace, ViTConfig
from vitviz.analysis.attention import head_statistics, log_sums, patch_distances, received_weights, row_entropy
from vitviz.model.vit import Attention


@pytest.mark.parametrize(
    ("grid", "patch", "expected"),
    [
        ((1, 1), 14, [[0]]),
        ((1, 2), 16, [[0, 16], [16, 0]]),
        ((3, 1), 2, [[0, 2, 4], [2, 0, 2], [4, 2, 0]]),
        (
            (2, 2),
            10,
            [[0, 10, 10, 200**0.5], [10, 0, 200**0.5, 10], [10, 200**0.5, 0, 10], [200**0.5, 10, 10, 0]],
        ),
    ],
)
def test_patch_distances_by_hand(grid, patch, expected):
    assert patch_distances(grid, patch) == pytest.approx(np.array(expected), rel=1e-6)


@pytest.mark.parametrize(
    ("row", "bits"),
    [([1 / 8] * 8, 3), ([0, 1, 0], 0), ([0.5, 0.25, 0.25], 1.5), ([1 / 3] * 3, math.log2(3)), ([1], 0)],
)
def test_entropy_by_hand(row, bits):
    assert row_entropy(torch.tensor(row)).item() == pytest.approx(bits, abs=1e-6)


def test_statistics_by_hand():
    """Check a class token and two patches, 16 pixels apart, with logarithms of weights as keys."""
    config = ViTConfig(patch_size=16, head_dim=1)
    q = torch.tensor([[[9.0], [1.0], [0.0]], [[9.0], [1.0], [1.0]]])  # head token channel
    k = torch.tensor([[[0.0], [0.0], [math.log(2)]], [[math.log(2)], [0.0], [0.0]]])
    model = SimpleNamespace(config=config, blocks=[SimpleNamespace(attn=Attention(config, "attn"))])
    trace = Trace(model, (1, 2), None, np.zeros(1), None, (q,), (k,), None, {})
    # Head 0: left patch 1/4 1/4 1/2, right patch 1/3 1/3 1/3. Head 1: both patches 1/2 1/4 1/4.
    assert trace.attention(0, 0, 1) == pytest.approx([1 / 4, 1 / 4, 1 / 2])
    statistics = head_statistics(trace)
    assert statistics.distance == pytest.approx(np.array([[(16 * 2 / 3 + 16 / 2) / 2, 8]]))
    assert statistics.entropy == pytest.approx(np.array([[(1.5 + math.log2(3)) / 2, 1.5]]))


def naive(trace):
    """Compute both statistics one weight at a time."""
    rows, columns = trace.grid
    places = [(row, column) for row in range(rows) for column in range(columns)]
    distance, entropy = (np.zeros((trace.layers, trace.heads)) for _ in range(2))
    for layer, head in np.ndindex(distance.shape):
        for query, (row, column) in enumerate(places):
            weights = trace.attention(layer, head, trace.prefix + query)
            travelled = among = 0.0
            for key, (other_row, other_column) in enumerate(places):
                weight = float(weights[trace.prefix + key])
                travelled += weight * math.hypot(other_row - row, other_column - column) * trace.config.patch_size
                among += weight
            distance[layer, head] += travelled / among / len(places)
            entropy[layer, head] -= sum(w * math.log2(w) for w in map(float, weights) if w > 0) / len(places)
    return distance, entropy


def test_statistics_equal_a_naive_loop(model, photo, small_trace):
    for seen in (model.trace(photo, size=56, fit="native"), small_trace):
        assert seen.grid[0] != seen.grid[1]
        statistics, (distance, entropy) = head_statistics(seen), naive(seen)
        assert statistics.distance.shape == statistics.entropy.shape == (seen.layers, seen.heads)
        assert statistics.distance == pytest.approx(distance, rel=1e-4)
        assert statistics.entropy == pytest.approx(entropy, rel=1e-4)


def test_statistics_stay_within_what_is_possible(trace):
    statistics = head_statistics(trace)
    assert statistics.distance.min() > 0
    assert statistics.distance.max() < patch_distances(trace.grid, 14).max()
    assert statistics.entropy.min() > 0
    assert statistics.entropy.max() <= math.log2(257)
    assert np.ptp(statistics.distance) > 20
    assert np.ptp(statistics.entropy) > 2


def test_a_column_needs_only_the_log_sums(trace):
    sums = log_sums(trace)
    assert sums.shape == (trace.layers, trace.heads, trace.token_count)
    for layer, token in ((0, 0), (7, 100), (11, 256)):
        wanted = trace.attention(layer)[..., token]
        assert received_weights(trace, layer, token, sums) == pytest.approx(wanted, rel=1e-4, abs=1e-7)


@pytest.mark.parametrize("kind", ["differential", "relative", "mean", "distilled"])
def test_a_column_of_another_kind_of_attention_needs_only_the_log_sums(kind):
    found = trace_of(kind)
    sums = log_sums(found)
    assert sums.shape == ((3, 3, 2, 25) if kind == "differential" else (3, 3, found.token_count))
    for layer, token in ((0, 0), (1, 9), (2, found.token_count - 1)):
        wanted = found.attention(layer)[..., token]
        assert received_weights(found, layer, token, sums) == pytest.approx(wanted, rel=1e-4, abs=1e-6)


def test_differential_attention_has_distances_by_size_and_no_entropy():
    found = trace_of("differential")
    statistics = head_statistics(found)
    assert statistics.entropy is None
    size = np.abs(found.attention(1, 2)[1:, 1:])
    apart = patch_distances(found.grid, 8)
    wanted = ((size * apart).sum(axis=1) / size.sum(axis=1)).mean()
    assert statistics.distance[1, 2] == pytest.approx(wanted, rel=1e-5)
    assert not statistics.distance.flags.writeable


def test_a_pooling_is_not_among_the_statistics():
    statistics = head_statistics(trace_of("pooled"))
    assert statistics.distance.shape == statistics.entropy.shape == (3, 3)


def test_what_rows_sum_to():
    found = trace_of("differential")
    for layer in range(3):
        assert found.attention(layer).sum(axis=-1) == pytest.approx(found.row_sum(layer), abs=1e-5)
        assert found.row_sum(layer) == found.row_sum(layer - 3) != 1
    assert trace_of("pooled").row_sum("pool") == trace_of("pooled").row_sum(0) == 1
    with pytest.raises(IndexError):
        found.row_sum(3)
