"""Soft dictionary: attention over words.

A query is compared with every key, a softmax turns similarities into probabilities, and the answer is the sum of the
values weighted by them. Words are compared by their shared character n-grams, so a misspelled word still finds its key.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from ..analysis.arithmetic import softmax_with_temperature, unit
from ..errors import ArgumentError, VitvizError
from ..errors.arguments import array, at_least, each_of_kind, number, typed

NGRAM = 2  # characters


@typed
def ngrams(word: str, n: int = NGRAM) -> dict[str, int]:
    """Count the character n-grams of a word.

    Case and surrounding spaces are ignored. The word is enclosed in `<` and `>`, which distinguishes n-grams at its
    start and end (Bojanowski et al. 2017, https://arxiv.org/abs/1607.04606, section 3.2). The result is empty for an
    empty word or one that is too short.

    Raises:
        VitvizError: if n is less than 1.
    """
    n = at_least(n, 1, "The number of characters of an n-gram")
    word = word.strip().casefold()
    marked = f"<{word}>" if word else ""
    return dict(Counter(marked[start : start + n] for start in range(len(marked) - n + 1)))


@typed
def vectors(words: Sequence[str], n: int = NGRAM) -> tuple[tuple[str, ...], np.ndarray]:
    """Convert words to vectors of n-gram counts, scaled to unit length.

    Returns:
        All n-grams of the words in alphabetical order, and vectors, float64 [word, n-gram]. Words without n-grams give
        zero vectors.
    """
    each_of_kind(words, str, "words")
    counts = [ngrams(word, n) for word in words]
    vocabulary = tuple(sorted(set().union(*counts)))
    table = np.array([[count.get(ngram, 0) for ngram in vocabulary] for count in counts], dtype=np.float64)
    table = table.reshape(len(counts), len(vocabulary))
    return vocabulary, unit(table)


@typed
def similarities(query: str, keys: Sequence[str], n: int = NGRAM) -> np.ndarray:
    """Compute dot products of the query vector with all key vectors, float64 [key]; 1 for equal words."""
    each_of_kind(keys, str, "keys")
    _, (q, *k) = vectors([query, *keys], n)
    return np.array([key @ q for key in k])


@typed
def soft_lookup(
    query: str, keys: Sequence[str], values: np.ndarray, temperature: float = 0.1, n: int = NGRAM
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Look up a word in a soft dictionary.

    Args:
        query: any word, not necessarily a key.
        keys: keys of the dictionary.
        values: values of the keys, [key] or [key, channel].
        temperature: divisor of the similarities before the softmax. 0 selects the most similar key (equally similar
            keys share the probability), as a hard dictionary does; higher values approach the mean of all values.
        n: characters of an n-gram.

    Returns:
        Similarities [key]; probabilities [key], which sum to 1; and the answer, one number or [channel].

    Raises:
        VitvizError: if the dictionary is empty, a key has no value, or the temperature is negative.
    """
    values = array(values, "key, ...", "Values", empty=True).astype(np.float64)
    if not len(keys) or values.shape[:1] != (len(keys),):
        raise VitvizError(f"The dictionary has {len(keys)} keys and {len(values)} values; give one value to each key.")
    if values.ndim > 2:
        raise ArgumentError(
            f"Values of shape {list(values.shape)} are not numbers or vectors; give [key] or [key, channel]."
        )
    temperature = number(temperature, 0, np.inf, "A temperature")
    scores = similarities(query, keys, n)
    probabilities = softmax_with_temperature(scores, temperature)
    return scores, probabilities, probabilities @ values
