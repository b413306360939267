"""Cosine similarity of tokens."""

from __future__ import annotations

import numpy as np

from ...errors.arguments import array, checked_index, typed


@typed
def directions(tokens: np.ndarray, centred: bool = False) -> np.ndarray:
    """Normalise tokens to unit length; dot products of the results are cosine similarities.

    Args:
        tokens: tokens of one layer, [token, D].
        centred: subtract the mean token first. The component shared by all tokens makes them all similar; without it,
            the similarity compares how tokens differ from the mean.

    Returns:
        Unit vectors, float32 [token, D]. Zero vectors stay zero, with similarity 0 to all tokens.

    Raises:
        ArgumentError: if the tokens are not a finite array [token, D].
    """
    tokens = array(tokens, "token, D", "Tokens").astype(np.float64)
    tokens = tokens - tokens.mean(axis=0) if centred else tokens
    norms = np.linalg.norm(tokens, axis=-1, keepdims=True)
    return np.divide(tokens, norms, out=np.zeros_like(tokens), where=norms > 0).astype(np.float32)


@typed
def similarity(tokens: np.ndarray, of: int | None = None, centred: bool = False) -> np.ndarray:
    """Compute cosine similarities of tokens, from -1 to 1.

    Args:
        tokens: tokens of one layer, [token, D].
        of: index of the token to compare with all others; None for all pairs.
        centred: as in `directions`.

    Returns:
        float32 [token], or [token, token] for all pairs.

    Raises:
        ArgumentError: if the tokens are not a finite array [token, D].
        IndexError: if the token is out of range.
    """
    units = directions(tokens, centred)
    chosen = units if of is None else units[checked_index(of, len(units), "token")]
    return np.clip(chosen @ units.T, -1, 1)
