"""Two-dimensional projections of tokens: PCA and t-SNE."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np

from ...errors import ArgumentError
from ...errors.arguments import array, at_least, one_of, typed
from ...errors.progress import Progress, silent
from .pca import principal

Method = Literal["pca", "tsne"]
METHODS: tuple[Method, ...] = get_args(Method)
PERPLEXITY = 30.0  # approximate number of neighbours that t-SNE keeps near a point
FIRST = 50  # principal components in the input of t-SNE, as recommended by its authors


@typed
def perplexity(points: int) -> float:
    """Return the perplexity of t-SNE for a number of points: 30, or less for fewer than 91 points."""
    return min(PERPLEXITY, (at_least(points, 4, "The number of points") - 1) / 3)


@typed
def project(points: np.ndarray, method: str = "pca", progress: Progress | None = None) -> np.ndarray:
    """Project tokens to two dimensions, deterministically.

    Args:
        points: [point, D]; at least four for t-SNE.
        method: `"pca"`: first two principal components, which preserve distances as well as two dimensions can.
            `"tsne"`: preserves neighbourhoods (van der Maaten and Hinton 2008, "Visualizing Data using t-SNE");
            distances between groups are not meaningful. Runs scikit-learn's t-SNE, initialised with PCA.
        progress: function called with (0, 1) before and (1, 1) after, because scikit-learn's t-SNE does not report its
            progress. An exception that it raises stops the projection.

    Returns:
        float32 [point, 2].

    Raises:
        ArgumentError: if the method is unknown, or the points are invalid or too few for it.
    """
    one_of(method, METHODS, "method")
    points = array(points, "point, D", "Points")
    if method == "tsne" and len(points) < 4:
        raise ArgumentError(f"t-SNE needs four points; these are {len(points)}.")
    report = progress or silent
    report(0, 1)
    found = principal(points, 2).scores(points) if method == "pca" else _tsne(points)
    report(1, 1)
    return found


def _tsne(points: np.ndarray) -> np.ndarray:
    from sklearn.manifold import TSNE  # takes a second to import, and only this needs it

    shorter = principal(points, min(FIRST, *points.shape)).scores(points)
    fit = TSNE(2, perplexity=perplexity(len(points)), init=_start(shorter), learning_rate="auto", random_state=0)
    return fit.fit_transform(shorter).astype(np.float32)


def _start(scores: np.ndarray) -> np.ndarray:
    """Return the first two components, scaled to a standard deviation of 1e-4, to initialise t-SNE."""
    first = np.zeros((len(scores), 2), np.float32)
    first[:, : scores.shape[1]] = scores[:, :2]
    return 1e-4 * first / (first[:, 0].std() or 1)
