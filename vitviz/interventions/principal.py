"""Tokens as colours: their first three principal components, fitted before and used before and after."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Components:
    """The directions in which tokens differ most, and how far.

    Attributes:
        mean: float64 [D].
        directions: float64 [3, D], of length 1, at right angles; the largest number of each is positive. Those that the
            tokens do not have (fewer than four, or all alike) are zeros.
        shares: which share of the variance each has, [3].
        low, high: where the colours of each begin and end: the 1st and 99th percentile of what was fitted, [3].
    """

    mean: np.ndarray
    directions: np.ndarray
    shares: np.ndarray
    low: np.ndarray
    high: np.ndarray

    def project(self, tokens: np.ndarray) -> np.ndarray:
        """Where tokens [token, D] stand along the three directions, float64 [token, 3]."""
        return (tokens - self.mean) @ self.directions.T

    def colours(self, tokens: np.ndarray) -> np.ndarray:
        """Tokens [token, D] as red, green and blue, uint8 [token, 3]; what is beyond the ends has the ends' colours."""
        reach = np.where(self.high > self.low, self.high - self.low, 1)
        return np.round(255 * np.clip((self.project(tokens) - self.low) / reach, 0, 1)).astype(np.uint8)


def fit(tokens: np.ndarray) -> Components:
    """The first three principal components of tokens [token, D] (Pearson 1901)."""
    tokens = tokens.astype(np.float64)
    mean = tokens.mean(axis=0)
    _, lengths, rows = np.linalg.svd(tokens - mean, full_matrices=False)
    directions, shares = np.zeros((3, tokens.shape[1])), np.zeros(3)
    total, found = float((lengths**2).sum()), rows[:3] * (lengths[:3, None] > 1e-9 * max(lengths[0], 1e-30))
    directions[: len(found)] = found * np.sign(found[np.arange(len(found)), np.abs(found).argmax(axis=1)])[:, None]
    shares[: len(found)] = lengths[:3] ** 2 / total if total else 0
    low, high = np.percentile((tokens - mean) @ directions.T, (1, 99), axis=0)
    return Components(mean, directions, shares, low, high)
