"""Matches between the patches of two images: nearest neighbours by cosine similarity."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...errors import ModelError
from ...errors.arguments import array, checked_index, number, typed
from ...errors.brief import brief
from ...trace.saved_weights import fingerprint
from ...trace.trace import Trace
from ..tokens import directions

ROWS_AT_ONCE = 1024  # patches of A whose similarities are in memory together
ROUNDING = 1e-5  # of cosine similarities of float32 vectors


@brief
@dataclass(frozen=True, eq=False)
class Matches:
    """Nearest neighbours among the patches of two images.

    Patches count from 0, row by row, without the prefix tokens.

    Attributes:
        layer: layer of the tokens, from 0.
        grids: rows and columns of patches of A and of B.
        units: unit vectors of the patches of A and of B, float32 [patch, D] each.
        best: most similar patch of B of each patch of A, int [patch of A].
        similarity: cosine similarity of each patch of A with its best match, float32 [patch of A], from -1 to 1.
        best_back: most similar patch of A of each patch of B, int [patch of B].
        similarity_back: cosine similarity of each patch of B with its best match, float32 [patch of B].
    """

    layer: int
    grids: tuple[tuple[int, int], tuple[int, int]]
    units: tuple[np.ndarray, np.ndarray]
    best: np.ndarray
    similarity: np.ndarray
    best_back: np.ndarray
    similarity_back: np.ndarray

    def similarities(self, patch: int) -> np.ndarray:
        """Return the cosine similarity of a patch of A with every patch of B, float32 [rows, columns].

        Raises:
            IndexError: if the patch is out of range.
        """
        a, b = self.units
        row = a[checked_index(patch, len(a), "patch")] @ b.T
        return np.clip(row, -1, 1).reshape(self.grids[1])

    def mutual(self, threshold: float = -1) -> np.ndarray:
        """Return the mutual nearest neighbours: pairs of patches that are each other's best match.

        Args:
            threshold: smallest cosine similarity of a pair, from -1 to 1; 1 finds equal directions, up to rounding.

        Returns:
            Patches of A and of B, int [pair, 2], in order of decreasing similarity.

        Raises:
            ArgumentError: if the threshold is not a number from -1 to 1.
        """
        threshold = number(threshold, -1, 1, "The threshold")
        a = np.arange(len(self.best))
        a = a[(self.best_back[self.best] == a) & (self.similarity >= threshold - ROUNDING)]
        a = a[np.argsort(-self.similarity[a], kind="stable")]
        return np.stack([a, self.best[a]], axis=1)


@typed
def match(trace_a: Trace, trace_b: Trace, layer: int, *, centred: bool = False) -> Matches:
    """Match the patches of two images by the cosine similarity of their tokens after a layer.

    Mutual nearest neighbours are the pairs that "Deep ViT Features as Dense Visual Descriptors" (Amir et al. 2022,
    https://arxiv.org/abs/2112.05814) calls best buddies, there of the keys of a layer, here of its output. Similarities
    are computed for 1024 patches of A at a time.

    Args:
        trace_a: trace of image A.
        trace_b: trace of image B by the same model; its grid may differ.
        layer: layer whose output (the residual stream) is compared, from 0; negative values count from the end.
        centred: subtract the mean of all patches of both images first. Without it, a component that all patches share
            makes them all similar.

    Raises:
        IndexError: if the layer is out of range.
        ModelError: if the traces were made by different models, whose tokens cannot be compared.
        HookError: as in `Trace.tokens`.
    """
    check_one_model(trace_a, trace_b)
    layer = checked_index(layer, trace_a.layers, "layer")
    patches = [trace.tokens(layer)[trace.prefix :].astype(np.float64) for trace in (trace_a, trace_b)]
    if centred:
        mean = np.concatenate(patches).mean(axis=0)
        patches = [of_image - mean for of_image in patches]
    a, b = (directions(of_image) for of_image in patches)
    return Matches(layer, (trace_a.grid, trace_b.grid), (a, b), *_nearest(a, b))


def check_one_model(*traces: Trace) -> None:
    """Raise a `ModelError` unless all traces were made by the same model, or by models with the same weights."""
    first, *others = (trace.model for trace in traces)
    for other in others:
        if other is not first and (other.config != first.config or fingerprint(other) != fingerprint(first)):
            raise ModelError(
                f"The traces were made by different models, {first.name!r} and {other.name!r}, whose tokens cannot be "
                "compared with each other; trace all images with one model."
            )


def _nearest(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return the index of the nearest vector of b and its similarity for each of a, and the same for each of b."""
    a, b = array(a, "patch, D", "Vectors"), array(b, "patch, D", "Vectors")
    best, similarity = np.empty(len(a), int), np.empty(len(a), np.float32)
    best_back, similarity_back = np.zeros(len(b), int), np.full(len(b), -np.inf, np.float32)
    for first in range(0, len(a), ROWS_AT_ONCE):
        rows = np.clip(a[first : first + ROWS_AT_ONCE] @ b.T, -1, 1)
        here = slice(first, first + len(rows))
        best[here], similarity[here] = rows.argmax(axis=1), rows.max(axis=1)
        nearest, highest = rows.argmax(axis=0), rows.max(axis=0)
        closer = highest > similarity_back
        best_back[closer], similarity_back[closer] = first + nearest[closer], highest[closer]
    return best, similarity, best_back, similarity_back
