"""Several query tokens: their mean row."""

import numpy as np
import pytest

from tests.support.random_models import CONFIGS, trace_of
from vitviz.errors import ArgumentError


@pytest.mark.parametrize("kind", CONFIGS)
def test_the_mean_of_rows(kind):
    trace = trace_of(kind)
    tokens = [trace.prefix, 5, -1]
    rows = np.mean([trace.attention(1, query=token) for token in tokens], axis=0)
    np.testing.assert_allclose(trace.attention(1, query=tokens), rows, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(trace.attention(1, 0, np.array(tokens)), rows[0], rtol=1e-5, atol=1e-7)
    maps = np.mean([trace.heatmap(1, 0, token) for token in tokens], axis=0)
    np.testing.assert_allclose(trace.heatmap(1, 0, tokens), maps, rtol=1e-5, atol=1e-7)


def test_recorded_weights_have_the_same_mean(small, photo):
    tokens = (4, 9)
    recorded = small.trace(photo, record="blocks.*.attn.weights")
    expected = small.trace(photo).attention(0, 1, tokens)
    np.testing.assert_allclose(recorded.attention(0, 1, tokens), expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ([], ArgumentError),
        ([1.5], ArgumentError),
        ([True], ArgumentError),
        ("ab", ArgumentError),
        ([0, 99], IndexError),
    ],
)
def test_other_queries_are_refused(small, photo, query, error):
    with pytest.raises(error):
        small.trace(photo).attention(0, 0, query)
