"""Soft dictionary: hand calculations."""

import math

import numpy as np
import pytest

from vitviz import VitvizError
from vitviz.walkthrough.soft_dictionary import ngrams, similarities, soft_lookup, vectors

COLOURS = ("red", "green", "blue")


def test_pieces_of_a_word():
    assert ngrams("aba") == {"<a": 1, "ab": 1, "ba": 1, "a>": 1}
    assert ngrams("aaa") == {"<a": 1, "aa": 2, "a>": 1}
    assert ngrams(" Ab ", 3) == {"<ab": 1, "ab>": 1}
    assert ngrams("ab", 1) == {"<": 1, "a": 1, "b": 1, ">": 1}
    assert ngrams("") == ngrams("  ") == ngrams("a", 4) == {}
    assert ngrams("Straße") == ngrams("STRASSE")


def test_words_as_vectors():
    pieces, table = vectors(["ab", "aaa", ""])
    assert pieces == ("<a", "a>", "aa", "ab", "b>")
    third, sixth = 1 / 3**0.5, 1 / 6**0.5
    assert table == pytest.approx(np.array([[third, 0, 0, third, third], [sixth, sixth, 2 * sixth, 0, 0], [0] * 5]))
    assert vectors([""])[1].shape == (1, 0)


def test_similarities_on_paper():
    assert similarities("ab", ["ab", "ac", "zz", ""]) == pytest.approx([1, 1 / 3, 0, 0])
    assert similarities("", ["ab"]) == pytest.approx([0])


def test_a_spelling_mistake_finds_its_key():
    found, probabilities, _ = soft_lookup("geen", COLOURS, np.zeros(3))
    assert np.argmax(found) == np.argmax(probabilities) == 1
    assert probabilities.sum() == pytest.approx(1)


def test_a_lookup_on_paper():
    """Check similarities 1 and 1/3 at temperature (2/3) / ln 3: probabilities 3/4 and 1/4."""
    found, probabilities, answer = soft_lookup("ab", ["ab", "ac"], [[8, 0], [0, 4]], temperature=2 / 3 / math.log(3))
    assert found == pytest.approx([1, 1 / 3])
    assert probabilities == pytest.approx([3 / 4, 1 / 4])
    assert answer == pytest.approx([6, 1])


@pytest.mark.parametrize(
    ("temperature", "expected"),
    [(0, [1, 0, 0]), (1e-9, [1, 0, 0]), (5e-324, [1, 0, 0]), (1e9, [1 / 3] * 3), (math.inf, [1 / 3] * 3)],
)
def test_from_hard_lookup_to_plain_average(temperature, expected):
    _, probabilities, answer = soft_lookup("red", COLOURS, [3, 6, 9], temperature)
    assert probabilities == pytest.approx(expected, abs=1e-6)
    assert answer == pytest.approx(np.dot(expected, [3, 6, 9]), abs=1e-5)


def test_equal_keys_share():
    assert soft_lookup("q", ["x", "y"], [0, 1], temperature=0)[2] == 0.5


@pytest.mark.parametrize(
    ("keys", "values", "temperature", "n", "words"),
    [
        ([], [], 1, 2, "0 keys"),
        (["a"], [1, 2], 1, 2, "one value to each key"),
        (["a"], [1], -1, 2, "temperature"),
        (["a"], [1], math.nan, 2, "temperature"),
        (["a"], [1], 1, 0, "at least 1"),
    ],
)
def test_what_is_no_dictionary(keys, values, temperature, n, words):
    with pytest.raises(VitvizError, match=words):
        soft_lookup("a", keys, values, temperature, n)
