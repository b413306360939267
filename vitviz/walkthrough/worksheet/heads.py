"""Task to order heads by attention distance, from their maps for one patch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...analysis.attention import patch_distances
from ...errors import ArgumentError
from ...errors.arguments import array, typed
from ...errors.brief import brief
from ...trace.trace import Trace

SHOWN = (4, 3, 2)  # heads to be ordered; fewer if so many do not differ as printed
DECIMALS = 1  # decimals of printed distances
TRIES = 500  # random choices of heads, of which the clearest is taken


@brief
@dataclass(frozen=True, eq=False)
class HeadOrder:
    """Heads with clearly different attention distances for one patch.

    Attributes:
        query: index of the patch's token.
        heads: layer and head of each, from 0, in the order to be printed.
        distances: attention distance of the patch in each head, in pixels of the model input: the distance of the
            patches that it attends to, weighted by attention.
        means: mean of this distance over all patches.
        weights: attention weights of all patches in each head, float32 [head, patch].
    """

    query: int
    heads: tuple[tuple[int, int], ...]
    distances: tuple[float, ...]
    means: tuple[float, ...]
    weights: np.ndarray

    @property
    def order(self) -> tuple[int, ...]:
        """Positions in `heads`, from the smallest to the largest distance."""
        return tuple(np.argsort(self.distances, kind="stable").tolist())


def patch_attention_distances(trace: Trace, query: int) -> np.ndarray:
    """Return the attention distance of one patch in every head, float32 [layer, head], in pixels.

    As in `vitviz.analysis.attention.head_statistics`, which averages it over all patches: attention to prefix tokens is
    left out, and negative weights of differential attention count by their absolute values.
    """
    away = patch_distances(trace.grid, trace.config.patch_size)[query - trace.prefix]
    distances = []
    for layer in range(trace.layers):
        weights = np.abs(trace.attention(layer, query=query)[:, trace.prefix :])
        distances.append(weights @ away / np.maximum(weights.sum(axis=1), np.finfo(np.float32).tiny))
    return np.stack(distances)


@typed
def head_order(trace: Trace, query: int, means: np.ndarray, exclude: tuple[int, int] | None = None) -> HeadOrder | None:
    """Choose up to four heads with clearly different distances, if possible such that their means have the same order.

    Args:
        trace: trace of the image.
        query: index of the patch's token.
        means: mean attention distance of every head, [layer, head], see `HeadStatistics.distance`.
        exclude: layer and head of which no map may be printed, because another task asks for its weights.

    Returns:
        The heads, whose distances differ as printed with one decimal; None if no two heads differ.

    Raises:
        IndexError: if the token is out of range.
        ArgumentError: if it is a prefix token, which has no position, or if there is not one mean for each head.
    """
    query, means = trace.token_index(query), array(means, "layer, head", "Means")
    if query < trace.prefix or means.shape != (trace.layers, trace.heads):
        raise ArgumentError("Give the token of a patch, and the mean distance of every head of every layer.")
    means, random = means.ravel(), np.random.default_rng(query)
    distances = patch_attention_distances(trace, query).ravel().astype(np.float64)
    left = [one for one in range(len(distances)) if exclude is None or divmod(one, trace.heads) != tuple(exclude)]
    best = next(
        (found for count in SHOWN if (found := _clearest(distances, means, left, count, random)) is not None), None
    )
    if best is None:
        return None
    chosen = random.permutation(best)
    heads = tuple(divmod(int(one), trace.heads) for one in chosen)
    weights = np.stack([trace.attention(layer, head, query)[trace.prefix :] for layer, head in heads])
    return HeadOrder(
        query, heads, tuple(distances[chosen].tolist()), tuple(means[chosen].astype(float).tolist()), weights
    )


def _clearest(
    distances: np.ndarray, means: np.ndarray, left: list[int], count: int, random: np.random.Generator
) -> np.ndarray | None:
    """Return so many heads with the clearest differences, from near to far; None if two would have equal distances."""
    if len(left) < count:
        return None
    tries = np.argsort(random.random((TRIES if len(left) > count else 1, len(left))), axis=1)[:, :count]
    tries = np.asarray(left)[tries]
    tries = np.take_along_axis(tries, np.argsort(distances[tries], axis=1), axis=1)  # from near to far
    smallest = np.diff(distances[tries], axis=1).min(axis=1)
    differ = np.diff(np.round(distances[tries], DECIMALS), axis=1).min(axis=1) > 0
    agree = (np.diff(means[tries], axis=1) > 0).all(axis=1)
    best = np.argmax(np.where(differ, np.where(agree, smallest, smallest / 2), -1))
    return tries[best] if differ[best] else None
