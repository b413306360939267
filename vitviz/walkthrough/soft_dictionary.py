"""A soft dictionary: what attention does, on words.

A query is compared with every key, similarities become probabilities, and the answer is the sum of the values, each
times its probability. Words are compared by the pieces of letters that they share, so that a word with a spelling
mistake still finds its key.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from ..analysis.arithmetic import tempered, unit
from ..errors import ArgumentError, VitvizError
from ..errors.arguments import array, at_least, each_of_kind, number, typed

PIECE = 2  # letters


@typed
def ngrams(word: str, n: int = PIECE) -> dict[str, int]:
    """All pieces of n letters of a word, and how often each occurs.

    Case does not matter, spaces around the word neither. Its start and end count as letters `<` and `>`, so that the
    first and the last letter are pieces of their own kind (Bojanowski et al. 2017, https://arxiv.org/abs/1607.04606,
    section 3.2). A word that is too short has none; the empty word has none.

    Raises:
        VitvizError: if n is not at least 1.
    """
    n = at_least(n, 1, "The number of letters of a piece")
    word = word.strip().casefold()
    marked = f"<{word}>" if word else ""
    return dict(Counter(marked[start : start + n] for start in range(len(marked) - n + 1)))


@typed
def vectors(words: Sequence[str], n: int = PIECE) -> tuple[tuple[str, ...], np.ndarray]:
    """Words as vectors: one number for each piece, how often it occurs, scaled to length 1.

    Returns:
        The pieces that occur in any of the words, in order of the alphabet; and float64 [word, piece]. A word without
        pieces is zeros.
    """
    each_of_kind(words, str, "words")
    counts = [ngrams(word, n) for word in words]
    pieces = tuple(sorted(set().union(*counts)))
    table = np.array([[count.get(piece, 0) for piece in pieces] for count in counts], dtype=np.float64)
    table = table.reshape(len(counts), len(pieces))
    return pieces, unit(table)


@typed
def similarities(query: str, keys: Sequence[str], n: int = PIECE) -> np.ndarray:
    """Dot products of the query's vector with each key's, float64 [key]: 1 for the same word, 0 if no piece is."""
    each_of_kind(keys, str, "keys")
    _, (asking, *asked) = vectors([query, *keys], n)
    return np.array([key @ asking for key in asked])


@typed
def soft_lookup(
    query: str, keys: Sequence[str], values: np.ndarray, temperature: float = 0.1, n: int = PIECE
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Look a word up in a dictionary that always answers.

    Args:
        query: the word, which no key has to equal.
        keys: the words of the dictionary.
        values: what each stands for, [key] or [key, number].
        temperature: what similarities are divided by before the softmax. 0 is a dictionary: the most similar key takes
            all (equally similar ones share). The larger, the closer to the plain average of all values.
        n: letters of a piece.

    Returns:
        Similarities [key]; probabilities [key], which sum to 1; and the answer, one number or [number].

    Raises:
        VitvizError: if the dictionary is empty, a key has no value, or the temperature is negative.
    """
    values = array(values, "key, ...", "Values", empty=True).astype(np.float64)
    if not len(keys) or values.shape[:1] != (len(keys),):
        raise VitvizError(f"The dictionary has {len(keys)} keys and {len(values)} values; give one value to each key.")
    if values.ndim > 2:
        raise ArgumentError(
            f"Values of shape {list(values.shape)} are no numbers or vectors; give [key] or [key, number]."
        )
    temperature = number(temperature, 0, np.inf, "A temperature")
    found = similarities(query, keys, n)
    probabilities = tempered(found, temperature)
    return found, probabilities, probabilities @ values
