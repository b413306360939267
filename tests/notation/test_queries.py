"""vitviz.notation.queries: a token, or the patches of a region, written compactly."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import arrays

from vitviz.errors import ArgumentError
from vitviz.notation.queries import as_query, central_token, format_query, parse_query, places, rectangles, region_label
from vitviz.notation.view import View

# The small trace: tokens CLS R1 R2 and 4 x 6 patches.


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("cls", 0),
        ("CLS", 0),
        ("reg2", 2),
        ("1-1", 3),
        ("1-1..2", (3, 4)),
        ("1..2-1", (3, 9)),
        ("2..3-5..6", (13, 14, 19, 20)),
        ("4-6,1-1", (3, 26)),
        ("1..2-1..2,2-2..3", (3, 4, 9, 10, 11)),
        ("2..2-3..3", 11),
        ("1-1,1-1", 3),
    ],
)
def test_queries_are_read(small_trace, text, query):
    assert parse_query(text, small_trace) == query
    assert parse_query(format_query(query, small_trace), small_trace) == query


@pytest.mark.parametrize(
    "text", ["", "5-1", "1-1..7", "0..2-1", "3..2-1", "cls,1-1", "1-1,", "1..2", "1-1 ,1-2", "1..-1", "1-1;2-2"]
)
def test_other_texts_are_refused(small_trace, text):
    with pytest.raises(ValueError, match="4-6"):
        parse_query(text, small_trace)


@given(arrays(bool, (4, 6)).filter(np.any))
def test_every_region_is_written_as_it_is_read(small_trace, inside):
    query = as_query((small_trace.prefix + np.flatnonzero(inside)).tolist())
    text = format_query(query, small_trace)
    assert parse_query(text, small_trace) == query
    assert np.array_equal(places(query, small_trace), inside)
    found = list(rectangles(inside))
    covered = np.zeros_like(inside, int)
    for top, bottom, left, right in found:
        covered[top : bottom + 1, left : right + 1] += 1
    assert np.array_equal(covered, inside)
    assert found == sorted(found, key=lambda one: (one[0], one[2]))


def test_a_rectangle_is_one_part(small_trace):
    inside = np.zeros((4, 6), bool)
    inside[1:4, 2:5] = True
    assert format_query(as_query((3 + np.flatnonzero(inside)).tolist()), small_trace) == "2..4-3..5"


def test_labels_of_regions(small_trace):
    assert region_label((3, 4, 9, 10), small_trace) == "mean of patches (1 to 2, 1 to 2)"
    assert region_label((3, 4), small_trace) == "mean of patches (1, 1 to 2)"
    assert region_label((3, 4, 10), small_trace) == "mean of 3 patches in (1 to 2, 1 to 2)"
    assert View(1, 0, (3, 4)).label(small_trace) == "Layer 2, head 1, mean of patches (1, 1 to 2)"


@pytest.mark.parametrize(("query", "error"), [((0, 3), ArgumentError), ((3, 27), IndexError)])
def test_regions_consist_of_patches_of_the_trace(small_trace, query, error):
    with pytest.raises(error):
        format_query(query, small_trace)


def test_an_empty_query_is_refused():
    with pytest.raises(ArgumentError):
        as_query([])


# --- Views of regions ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("head", [1, None])
def test_a_region_shows_its_mean_row_or_column(small_trace, head):
    matrix = View(1, head).matrix(small_trace)
    tokens = (3, 4, 9)
    np.testing.assert_allclose(View(1, head, tokens).weights(small_trace), matrix[list(tokens)].mean(axis=0), atol=1e-6)
    column = View(1, head, tokens, "to").weights(small_trace)
    np.testing.assert_allclose(column, matrix[:, list(tokens)].mean(axis=1), atol=1e-6)


def test_a_view_puts_its_tokens_in_order(small_trace):
    assert View(1, 0, (9, 4, 9)) == View(1, 0, (4, 9))
    assert View(1, 0, [7]) == View(1, 0, 7)
    data = {"layer": 1, "head": None, "query": [9, 4], "direction": "from", "scale": "raw"}
    assert View.from_dict(data) == View(1, None, (4, 9), "from", "raw")
    for wrong in ([], [4, None], [4, 5.5], [[4]], [True, 5]):
        with pytest.raises(ValueError, match=r"\w"):
            View.from_dict(data | {"query": wrong})


def test_a_region_is_fitted_and_unpinned_like_a_patch(small_trace):
    assert View(1, 0, (3, 26)).fitted(small_trace) == View(1, 0, (3, 26))
    for other in ((3, 27), (2, 3), (-1, 3)):
        assert View(1, 0, other).fitted(small_trace) == View(1, 0)
    assert View(1, 0, (3, 4)).without_pinned_patch(small_trace) == View(1, 0)
    assert View(1, 0, (3, 4)).without_region() == View(1, 0)
    assert View(1, 0, 3).without_region() == View(1, 0, 3)
    assert View(1, 0, (3, 4)).pins_patches(3)


@pytest.mark.parametrize(
    ("query", "token"),
    [(4, 4), (1, 1), ((3, 4, 5, 9, 10, 11, 15, 16, 17), 10), ((3, 8), 3), ((3, 4, 5, 9, 15), 4), ((3, 4, 6, 7, 8), 6)],
)
def test_one_token_stands_for_several(query, token, small_trace):
    """Of an L and of two parts it is one of theirs, although their centre may lie outside."""
    assert central_token(query, small_trace) == token
