"""Linear probe of position: row and column of a patch, predicted from its token.

Alain and Bengio 2017, "Understanding intermediate layers using linear classifier probes"; for patch positions, Darcet
et al. 2024, section 2.2.
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

PENALTY = 1e-2  # ridge penalty, relative to the mean variance of a token's channels
MAX_PATCHES = 400  # patches used per image; more do not change the result


@brief
@dataclass(frozen=True, eq=False)
class PatchPositions:
    """Patch tokens of one image at every stage, with their positions.

    Attributes:
        stages: patch tokens, float32 [1 + layer, patch, D], see `vitviz.tokens.stream`.
        positions: row and column, from -1 to 1 across the image, float64 [patch, 2].
    """

    stages: np.ndarray
    positions: np.ndarray


@brief
@dataclass(frozen=True, eq=False)
class PositionProbe:
    """Accuracy of the position probe on held-out images.

    Attributes:
        r2: R^2 of row and column, float64 [1 + layer, 2]. 1 is perfect, 0 is as good as the mean position, and negative
            values are worse; NaN if all patches have the same row (or column).
        images: number of images, each held out once.
        patches: number of patches of all images.
        penalty: penalty of the ridge regression.
    """

    r2: np.ndarray
    images: int
    patches: int
    penalty: float


@typed
def patch_positions(trace: Trace, max_patches: int = MAX_PATCHES) -> PatchPositions:
    """Return the patch tokens of one image with their positions, at most `max_patches` drawn with a fixed seed."""
    rows, columns = trace.grid
    chosen = np.random.default_rng(0).permutation(rows * columns)[: at_least(max_patches, 1, "The number of patches")]
    at = np.stack(np.divmod(chosen, columns), axis=1)  # patch axis
    positions = 2 * at / np.maximum([rows - 1, columns - 1], 1) - 1
    return PatchPositions(stream(trace)[:, trace.prefix + chosen], positions)


@typed
def ridge(x: np.ndarray, y: np.ndarray, penalty: float = PENALTY) -> tuple[np.ndarray, np.ndarray]:
    """Solve ridge regression in closed form, W = (X'X + a I)^-1 X'Y for centred X and Y, with an unpenalised intercept.

    Args:
        x: inputs, [sample, D].
        y: targets, [sample, target].
        penalty: a, relative to the mean of the diagonal of X'X, which makes it independent of the scale of x; 0 only if
            the columns of x are linearly independent.

    Returns:
        Weights [D, target] and intercept [target], float64, with y ≈ x @ weights + intercept.

    Raises:
        ArgumentError: if the arrays are invalid, differ in their number of samples, or the solution is not unique.
    """
    x, y = (array(one, "sample, channel", "Samples").astype(np.float64) for one in (x, y))
    penalty = number(penalty, 0, np.inf, "The penalty")
    if len(x) != len(y) or not np.isfinite(penalty):
        raise ArgumentError(
            f"x has {len(x)} samples, y has {len(y)}, and the penalty is {penalty:g}; give equal numbers and a finite "
            "penalty."
        )
    x_mean, y_mean = x.mean(axis=0), y.mean(axis=0)
    x, y = x - x_mean, y - y_mean
    products = x.T @ x
    added = penalty * (float(np.trace(products)) / len(products) or 1.0)
    try:
        weights = np.linalg.solve(products + added * np.eye(len(products)), x.T @ y)
    except np.linalg.LinAlgError as error:
        raise ArgumentError("The columns of x are linearly dependent; give a penalty above 0.") from error
    return weights, y_mean - x_mean @ weights


@typed
def position_probe(
    images: Sequence[PatchPositions], penalty: float = PENALTY, progress: Progress | None = None
) -> PositionProbe:
    """Probe row and column from the tokens of every stage, see `position_r2`.

    Args:
        images: patches of at least two images, by the same model.
        penalty: as in `ridge`.
        progress: function called with the number of stages done and in total. An exception that it raises stops the
            probe.

    Raises:
        ArgumentError: if there are fewer than two images, or they are traces of different models.
    """
    _check(images)
    r2, stages, report = [], len(images[0].stages), progress or silent
    for stage in range(stages):
        r2.append(position_r2(images, stage, penalty))
        report(stage + 1, stages)
    return assemble_probe(images, r2, penalty)


@typed
def assemble_probe(
    images: Sequence[PatchPositions], r2: Sequence[np.ndarray], penalty: float = PENALTY
) -> PositionProbe:
    """Assemble the results of `position_r2` at every stage.

    Args:
        images: patches of the images.
        r2: one result per stage.
        penalty: as in `ridge`.

    Raises:
        ArgumentError: if there are fewer than two images, they are traces of different models, or the number of results
            is wrong.
    """
    _check(images)
    if len(r2) != len(images[0].stages):
        raise ArgumentError(f"There are {len(r2)} results for {len(images[0].stages)} stages; give one per stage.")
    return PositionProbe(np.stack(r2), len(images), sum(len(image.positions) for image in images), penalty)


@typed
def position_r2(images: Sequence[PatchPositions], stage: int, penalty: float = PENALTY) -> np.ndarray:
    """Compute R^2 of a ridge regression from the tokens of a stage to row and column, with leave-one-image-out.

    R^2 = 1 - sum of squared errors / sum of squared distances from the mean, over the patches of all images, each
    predicted by a probe fitted on the other images.

    Args:
        images: patches of at least two images, by the same model.
        stage: stage of the residual stream: 0 before the first block, l after the l-th.
        penalty: as in `ridge`.

    Returns:
        R^2 of row and column, float64 [2], as in `PositionProbe`.

    Raises:
        ArgumentError: if there are fewer than two images, or they are traces of different models.
        IndexError: if the stage is out of range.
    """
    _check(images)
    stage = checked_index(stage, len(images[0].stages), "stage")
    errors = []
    for held_out in images:
        others = [image for image in images if image is not held_out]
        tokens, positions = (
            np.concatenate(parts) for parts in zip(*((o.stages[stage], o.positions) for o in others), strict=True)
        )
        weights, intercept = ridge(tokens, positions, penalty)
        errors.append(held_out.stages[stage] @ weights + intercept - held_out.positions)
    positions = np.concatenate([image.positions for image in images])
    total = ((positions - positions.mean(axis=0)) ** 2).sum(axis=0)
    squared = (np.concatenate(errors) ** 2).sum(axis=0)
    return np.where(total > 0, 1 - squared / np.where(total > 0, total, 1), np.nan)


def _check(images: Sequence[PatchPositions]) -> None:
    each_of_kind(images, PatchPositions, "images")
    if len({id(image) for image in images}) < 2:
        raise ArgumentError("A probe is fitted on some images and tested on another; give at least two.")
    if len({(len(image.stages), image.stages.shape[-1]) for image in images}) > 1:
        raise ArgumentError("The images are traces of different models; trace all images with the same model.")
