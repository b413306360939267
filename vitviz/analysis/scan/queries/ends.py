"""Images at both ends of a head's statistic."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ....errors.arguments import checked_index, one_of
from . import database
from .index import files
from .scan_run import LISTS, ScanRun


@dataclass(frozen=True, eq=False)
class HeadEnds:
    """Images for which a statistic of a head is smallest and largest.

    Attributes:
        lowest, highest: positions of the images, from the end inwards, int64 [image].
        lowest_values, highest_values: the statistic for these images, float32 [image].
    """

    lowest: np.ndarray
    lowest_values: np.ndarray
    highest: np.ndarray
    highest_values: np.ndarray


def head_ends(run: ScanRun, statistic: str, layer: int, head: int, count: int) -> HeadEnds:
    """Return the images at both ends of a head's statistic. This reads the statistic of all heads and images.

    Args:
        run: the scan.
        statistic: column with one number per head.
        layer: layer, from 0.
        head: head, from 0.
        count: images at each end.
    """
    one_of(statistic, LISTS, "statistic")
    place = checked_index(layer, run.layers, "layer") * run.heads + checked_index(head, run.heads, "head") + 1
    text = (
        f"WITH found AS (SELECT position, {statistic}[$place] AS value FROM read_parquet($files)), "
        "kept AS (SELECT * FROM found WHERE isfinite(value)), "
        "low AS (SELECT *, 0 AS side FROM kept ORDER BY value, position LIMIT $count), "
        "high AS (SELECT *, 1 AS side FROM kept ORDER BY value DESC, position LIMIT $count) "
        "SELECT * FROM low UNION ALL SELECT * FROM high"
    )
    found = database.query(text, files(run) | {"place": place, "count": count})
    side, position = (np.asarray(found[name]) for name in ("side", "position"))
    value = np.asarray(found["value"], np.float32)
    order = [np.flatnonzero(side == 0), np.flatnonzero(side == 1)]
    order[0], order[1] = order[0][np.argsort(value[order[0]])], order[1][np.argsort(-value[order[1]])]
    return HeadEnds(position[order[0]], value[order[0]], position[order[1]], value[order[1]])
