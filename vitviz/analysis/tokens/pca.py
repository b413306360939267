"""Principal component analysis (PCA) of patch tokens, with components shown as red, green and blue.

As in DINOv2 (Oquab et al. 2024, https://arxiv.org/abs/2304.07193, figure 1 and the qualitative results on PCA of patch
features): three components give three colours. The first component may separate foreground from background; the colours
are then the components of the foreground patches alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...errors import ArgumentError
from ...errors.arguments import array, checked_index, typed, whole
from ...errors.brief import brief

MOST = 100_000  # largest number of components
COLOURS = 3  # components for red, green and blue
ENDS = (1, 99)  # percentiles of the scores at the ends of the colour range, so that outliers do not leave the rest grey


@brief
@dataclass(frozen=True, eq=False)
class Components:
    """Principal components of a set of points.

    Attributes:
        mean: mean of the points, float64 [D].
        axes: orthonormal axes, in order of decreasing variance, float64 [component, D]; axes without variance are 0.
            The coordinate with the largest absolute value is positive, which fixes the arbitrary sign.
        explained: explained variance ratio of each axis, float64 [component]; sums to at most 1.
    """

    mean: np.ndarray
    axes: np.ndarray
    explained: np.ndarray

    def scores(self, points: np.ndarray) -> np.ndarray:
        """Project points on the axes, from [..., D] to float32 [..., component]."""
        points = array(points, "..., D", "Points", finite=False)
        if points.shape[-1:] != self.mean.shape:
            raise ArgumentError(f"These components have {len(self.mean)} dimensions; give points with as many.")
        return ((points - self.mean) @ self.axes.T).astype(np.float32)


@brief
@dataclass(frozen=True, eq=False)
class PcaOfLayers:
    """Three principal components of the patches of every layer.

    Attributes:
        scores: projections on the components, float32 [layer, patch, component]; NaN for background.
        explained: explained variance ratio of each component among the layer's foreground patches, float64 [layer,
            component].
        foreground: foreground mask, bool [layer, patch]; all True if background is not removed.
        together: whether all layers share their axes.
    """

    scores: np.ndarray
    explained: np.ndarray
    foreground: np.ndarray
    together: bool

    def ends(self, layer: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the scores at both ends of a layer's colour range, [component] each; equal if layers share axes."""
        layer = checked_index(layer, len(self.scores), "layer")
        shown = self.scores[self.foreground] if self.together else self.scores[layer][self.foreground[layer]]
        low, high = np.percentile(shown, ENDS, axis=0)
        return low, high

    def colours(self, layer: int) -> np.ndarray:
        """Return the RGB colours of a layer's patches, uint8 [patch, 3]; background is black."""
        return colours(self.scores[layer], *self.ends(layer))


@typed
def principal(points: np.ndarray, count: int = COLOURS) -> Components:
    """Compute principal components.

    Args:
        points: [point, D].
        count: number of components; those beyond the rank of the points are 0.

    Raises:
        ArgumentError: if the points or the count are invalid.
    """
    points = array(points, "point, D", "Points").astype(np.float64)
    count = whole(count, 1, MOST, "The number of components")
    mean = points.mean(axis=0)
    centred = points - mean
    few = len(points) < points.shape[1]  # then the Gram matrix is smaller than the covariance matrix
    squares, vectors = np.linalg.eigh(centred @ centred.T if few else centred.T @ centred)
    squares, vectors = squares[::-1][:count], vectors[:, ::-1][:, :count].T
    total = float((centred**2).sum())
    varies = squares > 1e-12 * max(total, np.finfo(float).tiny)
    computed = vectors @ centred / np.sqrt(np.where(varies, squares, 1))[:, None] if few else vectors
    axes, explained = np.zeros((count, points.shape[1])), np.zeros(count)
    axes[: len(computed)] = _signed(computed) * varies[:, None]
    explained[: len(computed)] = np.where(varies, squares, 0) / (total or 1)
    return Components(mean, axes, explained)


@typed
def pca_of_layers(
    patches: np.ndarray, *, together: bool = False, grid: tuple[int, int] | None = None, swap: bool = False
) -> PcaOfLayers:
    """Compute three principal components of the patches of every layer.

    Args:
        patches: patch tokens, [layer, patch, D].
        together: fit one set of components to all layers. Tokens of late layers have much larger norms and would
            dominate, so each layer is first centred and divided by one number, the root mean square distance of its
            patches from their mean.
        grid: rows and columns of patches, to remove the background; None keeps all patches. The foreground are the
            patches on one side of 0 on the first component, as in DINOv2. The sign of a component is arbitrary, so the
            side with fewer patches at the border of the image is taken. Components are then fitted to the foreground.
        swap: take the other side as foreground.

    Raises:
        ArgumentError: if the patches are invalid, or their number does not fit the grid.
    """
    patches = array(patches, "layer, patch, D", "Patches")
    if grid is not None and (min(grid) < 1 or grid[0] * grid[1] != patches.shape[1]):
        raise ArgumentError(f"{patches.shape[1]} patches do not fill a grid of {grid[0]} x {grid[1]}; give their grid.")
    points = np.stack([_comparable(layer) for layer in patches]) if together else patches
    kept = np.ones(points.shape[:2], bool)
    scores, explained = _fitted(points, kept, together)
    if grid is not None:
        kept = np.stack([_foreground(first, grid) ^ swap for first in scores[..., 0]])
        kept[~kept.any(axis=1)] = True  # equal patches have no foreground
        scores, explained = _fitted(points, kept, together)
    return PcaOfLayers(scores, explained, kept, together)


@typed
def colours(scores: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Map scores [..., 3] to uint8 RGB colours [..., 3]: `low` maps to 0, `high` to 255, and NaN to black."""
    scores, low, high = (array(one, "..., component", "Scores", finite=False) for one in (scores, low, high))
    if not low.shape == high.shape == scores.shape[-1:]:
        raise ArgumentError("Scores need both ends of the colour range for each component; give low and high.")
    span = np.where(high > low, high - low, 1)
    shares = np.where(high > low, (scores - low) / span, 0.5)
    return np.round(255 * np.clip(np.where(np.isnan(scores), 0, shares), 0, 1)).astype(np.uint8)


def _fitted(points: np.ndarray, kept: np.ndarray, together: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return scores [layer, patch, component] and explained variance ratios [layer, component] of the kept points."""
    shared = principal(points[kept]) if together else None
    scores = np.full((*kept.shape, COLOURS), np.nan, np.float32)
    explained = np.zeros((len(points), COLOURS))
    for layer, (of_layer, here) in enumerate(zip(points, kept, strict=True)):
        fit = shared or principal(of_layer[here])
        scores[layer, here] = fit.scores(of_layer[here])
        total = float(of_layer[here].var(axis=0, dtype=np.float64).sum())
        explained[layer] = (
            scores[layer, here].var(axis=0, dtype=np.float64) / (total or 1) if together else fit.explained
        )
    return scores, explained


def _comparable(layer: np.ndarray) -> np.ndarray:
    centred = layer - layer.mean(axis=0)
    return centred / (np.sqrt((centred**2).sum(axis=1).mean()) or 1)


def _foreground(first: np.ndarray, grid: tuple[int, int]) -> np.ndarray:
    """Return the mask of patches on the side of 0 with fewer patches at the border of the image."""
    above = first > 0
    edge = np.ones(grid, bool)
    edge[1:-1, 1:-1] = False
    return above if above[edge.ravel()].mean() <= 0.5 else ~above


def _signed(axes: np.ndarray) -> np.ndarray:
    largest = np.abs(axes).argmax(axis=1)
    return axes * np.where(np.take_along_axis(axes, largest[:, None], axis=1) < 0, -1, 1)
