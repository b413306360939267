"""Neighbours of an image of a scan by the cosine of the features."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ....errors import ScanError
from ....errors.progress import Progress, silent
from . import answers, database
from .index import files, unit
from .scan_run import ScanRun


@dataclass(frozen=True, eq=False)
class Neighbours:
    """Images whose features are nearest to that of an image.

    Attributes:
        positions: positions of the images, nearest first, int64 [image].
        cosines: cosine similarities, from -1 to 1, float32 [image].
        of: number of other images with a finite feature.
    """

    positions: np.ndarray
    cosines: np.ndarray
    of: int


def neighbours(run: ScanRun, position: int, count: int, progress: Progress | None = None) -> Neighbours:
    """Find the nearest images. All features are read once, a few thousand at a time.

    Args:
        run: the scan.
        position: position of the image.
        count: number of neighbours.
        progress: function called with the number of images done and in total. An exception that it raises stops it.

    Raises:
        ScanError: if the scan does not have the image, or its feature is zero or not finite.
    """
    report = progress or silent
    rows = answers.images(run, [position], "feature")
    feature = np.array((rows[0]["feature"] if rows else None) or [], np.float32)
    if len(feature) != run.feature_dim or not np.isfinite(feature).all() or not feature.any():
        raise ScanError("This image has no feature to compare with; choose another one.")
    direction = unit(feature[None])[0]
    total = int(database.query("SELECT count(*) AS n FROM read_parquet($files)", files(run))["n"][0])
    best, alike, done, others = np.zeros(0, np.int64), np.zeros(0, np.float32), 0, 0
    for batch in database.batches("SELECT position, feature FROM read_parquet($files)", files(run)):
        positions = batch.column("position").to_numpy(zero_copy_only=False)
        features = database.matrix(batch.column("feature"), run.feature_dim)
        kept = np.isfinite(features).all(axis=1) & (positions != position)
        others += int(kept.sum())
        best = np.concatenate([best, positions[kept]])
        alike = np.concatenate([alike, unit(features[kept]) @ direction])
        order = np.lexsort((best, -alike))[:count]
        best, alike = best[order], alike[order]
        done += len(positions)
        report(done, max(done, total))
    return Neighbours(best, alike.clip(-1, 1), others)
