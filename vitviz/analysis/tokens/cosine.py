"""How alike the directions of tokens are."""

from __future__ import annotations

import numpy as np

from ...errors.arguments import array, checked_index, typed


@typed
def directions(tokens: np.ndarray, centred: bool = False) -> np.ndarray:
    """Tokens brought to length 1, [token, D] to float32 [token, D]: the product of two is their cosine similarity.

    Args:
        tokens: the tokens of one layer.
        centred: whether their mean is taken away first. What all tokens share makes all of them alike; without it the
            similarity says in which way a token differs from the rest.

    A token of length 0 has no direction and stays 0: it is similar to none.

    Raises:
        ArgumentError: if these are no such numbers.
    """
    tokens = array(tokens, "token, D", "Tokens").astype(np.float64)
    tokens = tokens - tokens.mean(axis=0) if centred else tokens
    lengths = np.linalg.norm(tokens, axis=-1, keepdims=True)
    return np.divide(tokens, lengths, out=np.zeros_like(tokens), where=lengths > 0).astype(np.float32)


@typed
def similarity(tokens: np.ndarray, of: int | None = None, centred: bool = False) -> np.ndarray:
    """Cosine similarity of tokens, -1 to 1.

    Args:
        tokens: the tokens of one layer, [token, D].
        of: the token that is compared with all; None for each with each.
        centred: as in `directions`.

    Returns:
        float32 [token], or [token, token] for all of them.

    Raises:
        ArgumentError: if these are no such numbers.
        IndexError: if there is no such token.
    """
    towards = directions(tokens, centred)
    asked = towards if of is None else towards[checked_index(of, len(towards), "token")]
    return np.clip(asked @ towards.T, -1, 1)
