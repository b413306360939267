"""What a token still knows of its place: how well a linear probe reads row and column from it.

Alain and Bengio 2017, "Understanding intermediate layers using linear classifier probes"; for the places of patches,
Darcet et al. 2024, section 2.2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...errors import ArgumentError
from ...errors.arguments import array, at_least, checked_index, each_of_kind, number, typed
from ...errors.brief import brief
from ...errors.progress import Progress, silent
from ...trace.trace import Trace
from .token_norms import stream

PENALTY = 1e-2  # of the mean variance of a token's numbers, added to the variance of each
MOST = 400  # patches of an image that take part; more say nothing new


@brief
@dataclass(frozen=True, eq=False)
class Places:
    """Patches of one image, at every stage, and where they are.

    Attributes:
        stages: float32 [1 + layer, patch, D], see `vitviz.tokens.stream`.
        places: rows and columns, -1 at one edge of the picture and 1 at the other, float64 [patch, 2].
    """

    stages: np.ndarray
    places: np.ndarray


@brief
@dataclass(frozen=True, eq=False)
class PositionProbe:
    """How well places are read on images that the probe has not seen.

    Attributes:
        r2: of row and column, float64 [1 + layer, 2]. 1 is read exactly; 0 is no better than always saying the middle,
            and less is worse than that; NaN where all patches have the same row (or column).
        images: how many images there were; each was left out once.
        patches: how many patches of all of them.
        penalty: of the ridge regression.
    """

    r2: np.ndarray
    images: int
    patches: int
    penalty: float


@typed
def places_of(trace: Trace, most: int = MOST) -> Places:
    """The patches of one image, or `most` of them, drawn evenly."""
    rows, columns = trace.grid
    chosen = np.random.default_rng(0).permutation(rows * columns)[: at_least(most, 1, "The number of patches")]
    at = np.stack(np.divmod(chosen, columns), axis=1)  # patch axis
    places = 2 * at / np.maximum([rows - 1, columns - 1], 1) - 1
    return Places(stream(trace)[:, trace.prefix + chosen], places)


@typed
def ridge(x: np.ndarray, y: np.ndarray, penalty: float = PENALTY) -> tuple[np.ndarray, np.ndarray]:
    """Ridge regression in closed form, W = (X'X + a I)^-1 X'Y of centred X and Y; the intercept is not penalised.

    Args:
        x: [sample, D].
        y: [sample, target].
        penalty: a, as a share of the mean of the diagonal of X'X, so that the scale of x does not matter; 0 only if
            the columns of x are independent.

    Returns:
        Weights [D, target] and intercept [target], float64: y is about x @ weights + intercept.

    Raises:
        ArgumentError: if these are no such numbers, not as many samples of both, or no regression has a solution.
    """
    x, y = (array(one, "sample, number", "Samples").astype(np.float64) for one in (x, y))
    penalty = number(penalty, 0, np.inf, "The penalty")
    if len(x) != len(y) or not np.isfinite(penalty):
        raise ArgumentError(f"{len(x)} samples of x do not go with {len(y)} of y and a penalty of {penalty:g}.")
    x_mean, y_mean = x.mean(axis=0), y.mean(axis=0)
    x, y = x - x_mean, y - y_mean
    products = x.T @ x
    added = penalty * (float(np.trace(products)) / len(products) or 1.0)
    try:
        weights = np.linalg.solve(products + added * np.eye(len(products)), x.T @ y)
    except np.linalg.LinAlgError as error:
        raise ArgumentError("The columns of x depend on each other; give a penalty above 0.") from error
    return weights, y_mean - x_mean @ weights


@typed
def position_probe(
    images: Sequence[Places], penalty: float = PENALTY, progress: Progress | None = None
) -> PositionProbe:
    """Read row and column from the tokens of every stage, see `read_places`.

    Args:
        images: the patches of at least two images, of the same model.
        penalty: as in `ridge`.
        progress: called with how many stages are done and how many there are. What it raises stops the probe.

    Raises:
        ArgumentError: if there are fewer than two images, or they are not of the same model.
    """
    _check(images)
    r2, stages, report = [], len(images[0].stages), progress or silent
    for stage in range(stages):
        r2.append(read_places(images, stage, penalty))
        report(stage + 1, stages)
    return probed(images, r2, penalty)


@typed
def probed(images: Sequence[Places], r2: Sequence[np.ndarray], penalty: float = PENALTY) -> PositionProbe:
    """What `read_places` found at every stage of these images, put together.

    Raises:
        ArgumentError: if there are fewer than two images, or they are not of the same model.
    """
    _check(images)
    if len(r2) != len(images[0].stages):
        raise ArgumentError(f"There are {len(r2)} results for {len(images[0].stages)} stages; give one for each.")
    return PositionProbe(np.stack(r2), len(images), sum(len(image.places) for image in images), penalty)


@typed
def read_places(images: Sequence[Places], stage: int, penalty: float = PENALTY) -> np.ndarray:
    """How well a ridge regression reads row and column from the tokens of a stage; each image is left out once.

    R^2 = 1 - sum of squared errors / sum of squared distances from the mean, over the patches of all images, each read
    by the probe that was fitted on the others.

    Args:
        images: the patches of at least two images, of the same model.
        stage: 0 for what enters the first block, then the layers from 1.
        penalty: as in `ridge`.

    Returns:
        R^2 of row and column, float64 [2], as in `PositionProbe`.

    Raises:
        ArgumentError: if there are fewer than two images, or they are not of the same model.
    """
    _check(images)
    stage = checked_index(stage, len(images[0].stages), "stage")
    errors = []
    for held in images:
        others = [image for image in images if image is not held]
        tokens, places = (
            np.concatenate(parts) for parts in zip(*((o.stages[stage], o.places) for o in others), strict=True)
        )
        weights, intercept = ridge(tokens, places, penalty)
        errors.append(held.stages[stage] @ weights + intercept - held.places)
    everywhere = np.concatenate([image.places for image in images])
    total = ((everywhere - everywhere.mean(axis=0)) ** 2).sum(axis=0)
    squared = (np.concatenate(errors) ** 2).sum(axis=0)
    return np.where(total > 0, 1 - squared / np.where(total > 0, total, 1), np.nan)


def _check(images: Sequence[Places]) -> None:
    each_of_kind(images, Places, "images")
    if len({id(image) for image in images}) < 2:
        raise ArgumentError("A probe is fitted on some images and tried on another; give at least two.")
    if len({(len(image.stages), image.stages.shape[-1]) for image in images}) > 1:
        raise ArgumentError("The images have been seen by different models; give images of the same one.")
