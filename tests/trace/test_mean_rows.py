"""Several query tokens: their mean row."""

import numpy as np
import pytest

from tests.support.random_models import CONFIGS, trace_of
from vitviz.errors import ArgumentError
from vitviz.model.edits import KeyMask, Temperature


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


@pytest.mark.parametrize("kind", CONFIGS)
def test_rows_are_those_of_the_matrix(kind):
    trace = trace_of(kind)
    for tokens in ([trace.prefix, 5, -1], np.array([3, 3])):
        rows = trace.attention_rows(1, tokens)
        np.testing.assert_allclose(rows, trace.attention(1)[:, tokens], rtol=1e-5, atol=1e-7)


def test_rows_of_an_edited_pass_are_edited(small, photo):
    trace = small.trace(photo, edits=[KeyMask(4), Temperature(0, 1, 2.0)])
    np.testing.assert_allclose(trace.attention_rows(0, [0, 5]), trace.attention(0)[:, [0, 5]], rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("queries", [3, None, [], [1.5], "ab", [[0]]])
def test_rows_of_what_is_no_list_of_tokens_are_refused(small_trace, queries):
    with pytest.raises(ArgumentError):
        small_trace.attention_rows(0, queries)
