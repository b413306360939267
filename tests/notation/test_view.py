"""vitviz.notation.view: a view selects a row or a column of the attention matrix, and its label says which."""

from dataclasses import replace
from types import SimpleNamespace
from typing import get_args

import numpy as np
import pytest

from tests.support.random_models import PLAIN, POOLED, trace_of
from tests.support.stand_ins import stand_in
from vitviz.model.config import Pooling
from vitviz.notation.marks import capital
from vitviz.notation.view import (
    View,
    default_token,
    pooling_note,
    scales,
    strongest_patch,
    token_label,
    token_layout,
    token_phrase,
)
from vitviz.trace.trace import Trace

# The small model: 3 layers, 3 heads, tokens CLS R1 R2 and 4 x 6 patches.


@pytest.mark.parametrize(
    ("view", "fitted"),
    [
        (View(2, 1, 26, "to", "raw"), View(2, 1, 26, "to", "raw")),
        (View(0, 0, 0), View(0, 0, 0)),
        (View(0, None, None), View(0, None, None)),
        (View(3, 3, 27, "to", "uniform"), View(2, None, None, "to", "uniform")),
        (View(11, 5, 256), View(2, None, None)),
        (View(-1, -1, -1), View(2, None, None)),
    ],
)
def test_a_view_is_fitted_to_a_trace(small_trace, view, fitted):
    assert view.fitted(small_trace) == fitted


@pytest.mark.parametrize("head", [0, 2, None])
@pytest.mark.parametrize("query", [None, 0, 2, 3, 17, 26])
def test_weights_are_a_row_or_a_column_of_the_matrix(small_trace, head, query):
    heads = small_trace.attention(1)
    matrix = heads.mean(axis=0) if head is None else heads[head]
    token = query or 0
    row, column = View(1, head, query, "from"), View(1, head, query, "to")
    assert row.token(small_trace) == column.token(small_trace) == token
    for view in (row, column):
        assert view.matrix(small_trace) == pytest.approx(matrix, abs=1e-5)
    assert row.weights(small_trace) == pytest.approx(matrix[token], abs=1e-5)
    assert column.weights(small_trace) == pytest.approx(matrix[:, token], abs=1e-5)
    assert np.abs(matrix[token] - matrix[:, token]).max() > 0.01


@pytest.mark.parametrize(
    ("view", "label"),
    [
        (View(2, 0), "Layer 3, head 1, class token"),
        (View(0, None, 2, "to"), "Layer 1, mean of the heads, register 2"),
        (View(0, 2, 3), "Layer 1, head 3, patch (1, 1)"),
        (View(1, 2, 3 + 6 + 4), "Layer 2, head 3, patch (2, 5)"),
        (View(1, 2, 26), "Layer 2, head 3, patch (4, 6)"),
    ],
)
def test_the_label_of_a_view(small_trace, view, label):
    assert view.label(small_trace) == label
    assert token_label(small_trace, view.token(small_trace)) == label.split(", ", 2)[2]


@pytest.mark.parametrize(
    ("grid", "class_token", "prefix", "token"),
    [((4, 6), True, 3, 0), ((4, 6), False, 2, 2 + 2 * 6 + 3), ((3, 3), False, 0, 4), ((1, 1), False, 0, 0)],
)
def test_the_default_token_is_the_class_token_or_the_patch_in_the_middle(grid, class_token, prefix, token):
    trace = stand_in(Trace, grid=grid, prefix=prefix, config=SimpleNamespace(class_token=class_token))
    assert default_token(trace) == token


def test_the_strongest_patch_is_no_prefix_token(small_trace):
    weights = np.full(27, 0.01)
    weights[1], weights[3 + 8] = 0.5, 0.2
    assert strongest_patch(small_trace, weights) == 11


GOOD = {"layer": 3, "head": None, "query": 7, "direction": "to", "scale": "raw"}


def test_a_view_from_a_browser_is_read():
    assert View.from_dict(GOOD) == View(3, None, 7, "to", "raw")


@pytest.mark.parametrize(
    "data",
    [
        None,
        5,
        [1],
        {},
        {"layer": 3},
        GOOD | {"more": 1},
        GOOD | {"layer": "3"},
        GOOD | {"layer": 1.5},
        GOOD | {"layer": None},
        GOOD | {"head": True},
        GOOD | {"query": ["1"]},
        GOOD | {"direction": "sideways"},
        GOOD | {"scale": ["raw"]},
    ],
)
def test_what_is_not_a_view_is_refused(data):
    with pytest.raises(ValueError, match=r"\w"):
        View.from_dict(data)


def test_a_pinned_patch_is_unpinned_and_a_prefix_token_is_kept(trace):
    assert View(3, 1, 7).without_pinned_patch(trace) == View(3, 1)
    assert View(3, 1, 0).without_pinned_patch(trace) == View(3, 1, 0)
    assert View(3, 1).without_pinned_patch(trace) == View(3, 1)


# --- Pooling, signs, and models without a class token ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "view", "fitted"),
    [
        ("pooled", View(3, 3, 5, "to", "uniform"), View(3, 3, 5, "to", "uniform")),
        ("pooled", View(2, 3), View(2, None)),  # a layer has only three heads
        ("pooled", View(3, 4), View(3, None)),
        ("pooled", View(4, 0), View(2, 0)),
        ("pooled with prefix", View(3, 2), View(3, None)),
        ("mean", View(3, 2), View(2, 2)),
        ("differential", View(3, 2, None, "to", "uniform"), View(2, 2, None, "to", "relative")),
        ("differential", View(1, 2, None, "to", "raw"), View(1, 2, None, "to", "raw")),
    ],
)
def test_a_view_is_fitted_to_other_kinds_of_attention(kind, view, fitted):
    assert view.fitted(trace_of(kind)) == fitted


@pytest.mark.parametrize("direction", ["from", "to"])
@pytest.mark.parametrize("query", [None, 0, 9])
@pytest.mark.parametrize("kind", POOLED)
def test_the_pooling_shows_one_map_for_every_query_and_direction(kind, query, direction):
    found = trace_of(kind)
    heads = found.attention("pool")
    for head, expected in [*enumerate(heads), (None, heads.mean(axis=0))]:
        view = View(3, head, query, direction)
        assert view.is_pool(found)
        assert view.effective_direction(found) == "from"
        assert view.matrix(found) == pytest.approx(expected)
        assert view.weights(found) == pytest.approx(expected[0])
        label = "Pooling, mean of the heads" if head is None else f"Pooling, head {head + 1}"
        assert view.label(found) == view.head_label(found) == label
        assert "learned query" in view.direction_label(found)
    assert View(3, 0).num_keys(found) == np.count_nonzero(heads[0])
    assert not View(2, 0).is_pool(found)
    assert View(2, 0).num_keys(found) == found.token_count


def test_weights_of_differential_attention_have_signs():
    found = trace_of("differential")
    for head in (1, None):
        heads = found.attention(2)
        matrix = heads.mean(axis=0) if head is None else heads[head]
        assert matrix.min() < 0
        assert View(2, head, 5).weights(found) == pytest.approx(matrix[5], abs=1e-6)
        assert View(2, head, 5, "to").weights(found) == pytest.approx(matrix[:, 5], abs=1e-6)


def test_the_strongest_patch_is_the_largest_in_size(small_trace):
    weights = np.full(27, 0.1)
    weights[3 + 8] = -0.2
    assert strongest_patch(small_trace, weights) == 11


def test_a_patch_is_unpinned_where_its_index_is_another_token():
    pooled, distilled, registers = (trace_of(kind) for kind in ("pooled", "distilled", "mean with registers"))
    assert len({token_layout(found) for found in (pooled, distilled, trace_of("relative"))}) == 3
    assert token_layout(distilled) == token_layout(registers)
    for query in (0, 1, 5):  # all of them patches of a model without prefix tokens
        assert View(1, 0, query).without_pinned_patch(distilled, prefix=token_layout(pooled)[0]).query is None
    assert View(1, 0, 1).without_pinned_patch(distilled, prefix=2).query == 1
    assert View(1, 0, 1).without_pinned_patch(trace_of("relative"), prefix=2).query is None


def test_scales_that_mean_something(small_trace):
    assert scales(small_trace) == ("relative", "raw", "uniform")
    assert scales(trace_of("differential")) == ("relative", "raw")


@pytest.mark.parametrize(
    ("kind", "words", "sentence"),
    [
        ("differential", "the class token", ""),
        (
            "pooled",
            "attention pooling with a learned query",
            "No class token: the model's output comes from attention pooling with a learned query "
            "(see the row “pool”).",
        ),
        ("mean", "the mean of the patches", "No class token: the model's output comes from the mean of the patches."),
        (
            "distilled",
            "the class token and the distillation token, each with a classifier of its own",
            "The model's output comes from the class token and the distillation token, each with a classifier of its "
            "own.",
        ),
    ],
)
def test_where_the_output_comes_from(kind, words, sentence):
    config = trace_of(kind).config
    assert config.pooling_description == words
    assert pooling_note(config) == sentence


def test_two_tokens_without_classifiers_are_averaged():
    config = replace(trace_of("distilled").config, num_classes=0)
    assert config.pooling_description == "the mean of the class token and the distillation token"


def test_every_pooling_has_a_description():
    descriptions = {replace(PLAIN, pooling=pooling).pooling_description for pooling in get_args(Pooling)}
    assert len(descriptions) == len(get_args(Pooling))


def test_default_token_and_labels_without_a_class_token():
    found = trace_of("mean with registers")
    assert default_token(found) == View(1).token(found) == 2 + 2 * 6 + 3
    assert View(1).label(found) == "Layer 2, head 1, patch (3, 4)"
    assert token_label(found, 1) == "register 2"
    assert token_label(trace_of("distilled"), 1) == "distillation token"


def test_names_with_a_number_have_no_article_in_a_sentence():
    found, distilled = trace_of("mean with registers"), trace_of("distilled")
    assert [token_phrase(found, token) for token in (1, 2)] == ["register 2", "patch (1, 1)"]
    assert [token_phrase(distilled, token) for token in (0, 1)] == ["the class token", "the distillation token"]
    assert capital(token_phrase(distilled, 0)) == "The class token"
    assert capital(token_phrase(found, 0)) == "Register 1"
    assert capital("") == ""
