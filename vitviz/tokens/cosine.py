"""How alike the directions of tokens are."""

from __future__ import annotations

import numpy as np


def directions(tokens: np.ndarray, centred: bool = False) -> np.ndarray:
    """Tokens brought to length 1, [token, D] to float32 [token, D]: the product of two is their cosine similarity.

    Args:
        tokens: the tokens of one layer.
        centred: whether their mean is taken away first. What all tokens share makes all of them alike; without it the
            similarity says in which way a token differs from the rest.

    A token of length 0 has no direction and stays 0: it is similar to none.
    """
    tokens = np.asarray(tokens, np.float64)
    tokens = tokens - tokens.mean(axis=0) if centred else tokens
    lengths = np.linalg.norm(tokens, axis=-1, keepdims=True)
    return np.divide(tokens, lengths, out=np.zeros_like(tokens), where=lengths > 0).astype(np.float32)


def similarity(tokens: np.ndarray, of: int | None = None, centred: bool = False) -> np.ndarray:
    """Cosine similarity of tokens, -1 to 1.

    Args:
        tokens: the tokens of one layer, [token, D].
        of: the token that is compared with all; None for each with each.
        centred: as in `directions`.

    Returns:
        float32 [token], or [token, token] for all of them.
    """
    towards = directions(tokens, centred)
    return np.clip((towards if of is None else towards[of]) @ towards.T, -1, 1)
