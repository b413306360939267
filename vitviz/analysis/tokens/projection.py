"""Tokens as points on a plane."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np

from ...errors import ArgumentError
from ...errors.arguments import array, at_least, one_of, typed
from ...errors.progress import Progress, silent
from .pca import principal

Method = Literal["pca", "tsne"]
METHODS: tuple[Method, ...] = get_args(Method)
PERPLEXITY = 30.0  # about how many neighbours t-SNE keeps near a point
FIRST = 50  # components that t-SNE works on, as its authors recommend


@typed
def perplexity(points: int) -> float:
    """The perplexity that t-SNE uses for so many points: 30, or less if that would be a third of them."""
    return min(PERPLEXITY, (at_least(points, 4, "The number of points") - 1) / 3)


@typed
def project(points: np.ndarray, method: str = "pca", progress: Progress | None = None) -> np.ndarray:
    """Bring tokens to a plane, the same way each time.

    Args:
        points: [point, D]; at least four for t-SNE.
        method: `"pca"`: the first two principal components, which keep distances as far as two numbers can.
            `"tsne"`: keeps neighbours near each other (van der Maaten and Hinton 2008, "Visualizing Data using
            t-SNE"); how far groups are apart then means little. Runs scikit-learn's, started from the components.
        progress: called before and after with how many of one step are done, because scikit-learn's t-SNE does not say
            how far it is. What it raises stops the projection.

    Returns:
        float32 [point, 2].

    Raises:
        ArgumentError: if there is no such method, these are no points, or too few for it.
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
    """The first two components, small, as t-SNE wants its beginning."""
    first = np.zeros((len(scores), 2), np.float32)
    first[:, : scores.shape[1]] = scores[:, :2]
    return 1e-4 * first / (first[:, 0].std() or 1)
