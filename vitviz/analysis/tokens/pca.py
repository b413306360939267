"""Principal components of the patch tokens, and what they look like as red, green and blue.

As in DINOv2 (Oquab et al. 2024, https://arxiv.org/abs/2304.07193, figure 1 and the qualitative results on PCA of patch
features): three components are shown as three colours; the first may be used to tell foreground from background, and
the colours are then those of the components of the foreground alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...errors import ArgumentError
from ...errors.arguments import array, checked_index, typed, whole
from ...errors.brief import brief

MOST = 100_000  # components that can be asked for
COLOURS = 3  # components that are shown: one for each of red, green and blue
ENDS = (1, 99)  # percentiles of the scores where the colours end: a few patches would else leave the rest grey


@brief
@dataclass(frozen=True, eq=False)
class Components:
    """The directions in which points vary most.

    Attributes:
        mean: of the points, float64 [D].
        axes: directions of length 1 at right angles, the widest first, float64 [component, D]; a direction in which
            the points do not vary at all is 0. Its coordinate that is largest in size is positive, which fixes the sign
            that principal components leave open.
        explained: the share of the variance that each axis has, float64 [component]; they sum to 1 at most.
    """

    mean: np.ndarray
    axes: np.ndarray
    explained: np.ndarray

    def scores(self, points: np.ndarray) -> np.ndarray:
        """Where points stand along the axes, [..., D] to float32 [..., component]."""
        points = array(points, "..., D", "Points", finite=False)
        if points.shape[-1:] != self.mean.shape:
            raise ArgumentError(f"These are components of {len(self.mean)} numbers; give points of as many.")
        return ((points - self.mean) @ self.axes.T).astype(np.float32)


@brief
@dataclass(frozen=True, eq=False)
class PcaOfLayers:
    """Three components of the patches of every layer.

    Attributes:
        scores: float32 [layer, patch, component]; NaN for background.
        explained: the share that each component has of the variance of its layer's patches (of those in the
            foreground), float64 [layer, component].
        foreground: bool [layer, patch]; all True unless it was split off.
        together: whether all layers share their axes.
    """

    scores: np.ndarray
    explained: np.ndarray
    foreground: np.ndarray
    together: bool

    def ends(self, layer: int) -> tuple[np.ndarray, np.ndarray]:
        """Scores at which the colours of a layer begin and end, each [component]; the same for all that share axes."""
        layer = checked_index(layer, len(self.scores), "layer")
        shown = self.scores[self.foreground] if self.together else self.scores[layer][self.foreground[layer]]
        low, high = np.percentile(shown, ENDS, axis=0)
        return low, high

    def colours(self, layer: int) -> np.ndarray:
        """Red, green and blue of each patch of a layer, uint8 [patch, 3]; background is black."""
        return colours(self.scores[layer], *self.ends(layer))


@typed
def principal(points: np.ndarray, count: int = COLOURS) -> Components:
    """Principal components.

    Args:
        points: [point, D].
        count: how many; if the points have fewer dimensions or are fewer, the rest is 0.

    Raises:
        ArgumentError: if these are no such numbers.
    """
    points = array(points, "point, D", "Points").astype(np.float64)
    count = whole(count, 1, MOST, "The number of components")
    mean = points.mean(axis=0)
    centred = points - mean
    few = len(points) < points.shape[1]  # then the products of the points with each other are the smaller matrix
    squares, vectors = np.linalg.eigh(centred @ centred.T if few else centred.T @ centred)
    squares, vectors = squares[::-1][:count], vectors[:, ::-1][:, :count].T
    total = float((centred**2).sum())
    varies = squares > 1e-12 * max(total, np.finfo(float).tiny)
    found = vectors @ centred / np.sqrt(np.where(varies, squares, 1))[:, None] if few else vectors
    axes, explained = np.zeros((count, points.shape[1])), np.zeros(count)
    axes[: len(found)] = _signed(found) * varies[:, None]
    explained[: len(found)] = np.where(varies, squares, 0) / (total or 1)
    return Components(mean, axes, explained)


@typed
def pca_of_layers(
    patches: np.ndarray, *, together: bool = False, grid: tuple[int, int] | None = None, swap: bool = False
) -> PcaOfLayers:
    """Three components of the patches of every layer.

    Args:
        patches: the patch tokens, [layer, patch, D].
        together: whether the components are those of all layers at once. Tokens of late layers are many times as long
            as those of early ones and would alone decide, so each layer is first shifted to mean 0 and divided by one
            number, the root of its patches' mean squared distance from that mean; every layer then weighs the same.
        grid: rows and columns, to keep to the foreground: the patches on one side of 0 on the first component, as in
            DINOv2. Which side that is nobody can know; it is the one that has fewer patches of the picture's edge. The
            components are then those of these patches alone. None keeps all.
        swap: whether the other side is the foreground.

    Raises:
        ArgumentError: if these are no such numbers, or not as many patches as the grid has.
    """
    patches = array(patches, "layer, patch, D", "Patches")
    if grid is not None and (min(grid) < 1 or grid[0] * grid[1] != patches.shape[1]):
        raise ArgumentError(f"{patches.shape[1]} patches do not make a grid of {grid[0]} x {grid[1]}; give their grid.")
    points = np.stack([_comparable(layer) for layer in patches]) if together else patches
    kept = np.ones(points.shape[:2], bool)
    scores, explained = _fitted(points, kept, together)
    if grid is not None:
        kept = np.stack([_foreground(first, grid) ^ swap for first in scores[..., 0]])
        kept[~kept.any(axis=1)] = True  # patches that are all alike have no foreground
        scores, explained = _fitted(points, kept, together)
    return PcaOfLayers(scores, explained, kept, together)


@typed
def colours(scores: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Scores as red, green and blue, [..., 3] to uint8: `low` has none of a colour and `high` all; NaN is black."""
    scores, low, high = (array(one, "..., component", "Scores", finite=False) for one in (scores, low, high))
    if not low.shape == high.shape == scores.shape[-1:]:
        raise ArgumentError("Scores need one end of the colours on each side for each component; give low and high.")
    span = np.where(high > low, high - low, 1)
    shares = np.where(high > low, (scores - low) / span, 0.5)
    return np.round(255 * np.clip(np.where(np.isnan(scores), 0, shares), 0, 1)).astype(np.uint8)


def _fitted(points: np.ndarray, kept: np.ndarray, together: bool) -> tuple[np.ndarray, np.ndarray]:
    """Scores [layer, patch, component] and explained shares [layer, component] of the points that are kept."""
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
    """Which patches are on the side of 0 that has fewer of the picture's edge."""
    above = first > 0
    edge = np.ones(grid, bool)
    edge[1:-1, 1:-1] = False
    return above if above[edge.ravel()].mean() <= 0.5 else ~above


def _signed(axes: np.ndarray) -> np.ndarray:
    largest = np.abs(axes).argmax(axis=1)
    return axes * np.where(np.take_along_axis(axes, largest[:, None], axis=1) < 0, -1, 1)
