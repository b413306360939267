"""Queries of a scan: counts, accuracy, confusion matrix, points of the map, and lists of images.

Each answers from the index if there is one (see `vitviz.analysis.scan.index`), else from the tables.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from ....errors import ArgumentError
from ....errors.arguments import one_of
from . import database
from .index import Index, files
from .scan_run import LISTS, ScanRun, finite

MOST_POINTS = 20_000  # on the map
MOST_CLASSES = 60  # rows and columns of the confusion matrix
MOST_IMAGES = 200  # in a list of images
STATISTICS = {  # by column, with the unit
    "probability": ("Probability of the prediction", ""),
    "distance": ("Mean attention distance", "px"),
    "entropy": ("Mean attention entropy", "bit"),
    "to_class_token": ("Attention to the class token", ""),
    "to_registers": ("Attention to the registers", ""),
    "outliers": ("Patches with an outlier norm", ""),
    "unusual": ("Heads outside their usual range", ""),
    "isolation": ("Mean cosine distance to the nearest images", ""),
}
OF_INDEX = ("unusual", "isolation")  # statistics that only the index has
_OF_TABLES = (
    "SELECT position, label, prediction, correct, top5_probability[1]::FLOAT AS probability, "
    "len(outliers)::INTEGER AS outliers, "
    + ", ".join(f"list_avg({name})::FLOAT AS {name}" for name in LISTS)
    + " FROM read_parquet($files)"
)


@dataclass(frozen=True)
class Filter:
    """Images to look at; the conditions apply together.

    Attributes:
        labels, predictions: names, one of which the image must have; empty for any.
        correct: whether the prediction must equal the label; None for any image.
        ranges: statistics with their smallest and largest value.
        area: corners of a polygon on the map, which has to contain the image; empty for no polygon.
        positions: positions in the source, one of which the image must have; None for any.
    """

    labels: tuple[str, ...] = ()
    predictions: tuple[str, ...] = ()
    correct: bool | None = None
    ranges: tuple[tuple[str, float, float], ...] = ()
    area: tuple[tuple[float, float], ...] = ()
    positions: tuple[int, ...] | None = None

    def sql(self) -> tuple[str, dict[str, Any]]:
        """Return a condition in SQL, and its parameters. Names of columns are the only text that it is made of."""
        parts, values = [], {}
        for column, names in (("label", self.labels), ("prediction", self.predictions)):
            if names:
                parts.append(f"{column} IN (SELECT unnest(${column}_names))")
                values[f"{column}_names"] = list(names)
        if self.correct is not None:
            parts.append("correct" if self.correct else "NOT correct")
        for at, (name, low, high) in enumerate(self.ranges):
            one_of(name, tuple(STATISTICS), "statistic")
            parts.append(f"{name} BETWEEN $low_{at} AND $high_{at}")
            values |= {f"low_{at}": float(low), f"high_{at}": float(high)}
        if self.positions is not None:
            parts.append("position IN (SELECT unnest($chosen_positions::BIGINT[]))")
            values["chosen_positions"] = list(self.positions)
        if self.area:
            parts.append(_inside(len(self.area)))
            corners = np.array(self.area, float)
            for i, axis in enumerate("xy"):
                values |= {f"{axis}_{at}": float(corner[i]) for at, corner in enumerate(corners)}
            values |= {"left": corners[:, 0].min(), "right": corners[:, 0].max()}
            values |= {"bottom": corners[:, 1].min(), "top": corners[:, 1].max()}
        return " AND ".join(parts) or "true", values


def _inside(corners: int) -> str:
    """Return the condition that a point is in a polygon: a ray to the right crosses an odd number of its sides."""
    crossings = []
    for at in range(corners):
        x1, y1, x2, y2 = f"$x_{at}", f"$y_{at}", f"$x_{(at + 1) % corners}", f"$y_{(at + 1) % corners}"
        crossings.append(
            f"(CASE WHEN ({y1} > y) <> ({y2} > y) THEN "
            f"(x < ({x2} - {x1}) * (y - {y1}) / ({y2} - {y1}) + {x1})::INTEGER ELSE 0 END)"
        )
    box = "x BETWEEN $left AND $right AND y BETWEEN $bottom AND $top"
    return f"({box} AND ({' + '.join(crossings)}) % 2 = 1)"


@dataclass(frozen=True)
class Overview:
    """Numbers of images that pass a filter.

    Attributes:
        count: images.
        judged: images whose label is a class of the model.
        correct: images whose prediction is their label.
    """

    count: int
    judged: int
    correct: int

    @property
    def accuracy(self) -> float | None:
        """Share of correct predictions among the judged images; None if there are none."""
        return self.correct / self.judged if self.judged else None


@dataclass(frozen=True, eq=False)
class Points:
    """Images on the map, or evenly spread ones if there are too many.

    Attributes:
        position: positions in the source, int64 [point].
        xy: coordinates, float32 [point, 2].
        colour: values for the colour: text, truth or number, [point]; masked where the image has none.
        of: number of images that pass the filter.
    """

    position: np.ndarray
    xy: np.ndarray
    colour: np.ma.MaskedArray
    of: int


@dataclass(frozen=True, eq=False)
class Confusion:
    """Confusion matrix.

    Attributes:
        labels: names of the rows and columns, most frequent labels first, sorted.
        counts: images by label and prediction, int64 [label, prediction].
        left_out: images with another label or prediction.
    """

    labels: tuple[str, ...]
    counts: np.ndarray
    left_out: int


Order = Literal["position", "surest mistakes", "isolation", "outliers", "unusual"]
_ORDERS = {
    "position": "position",
    "surest mistakes": "(NOT coalesce(correct, true)) DESC, probability DESC, position",
    "isolation": "isolation DESC NULLS LAST, position",
    "outliers": "outliers DESC NULLS LAST, position",
    "unusual": "unusual DESC NULLS LAST, position",
}


def overview(run: ScanRun, index: Index | None, chosen: Filter) -> Overview:
    """Count the images that pass a filter, and the correct ones among them."""
    text = "SELECT count(*) AS n, count(correct) AS judged, count(*) FILTER (correct) AS right"
    found = _query(run, index, text.replace("AS right", "AS correct_ones"), chosen)
    return Overview(*(int(found[name][0]) for name in ("n", "judged", "correct_ones")))


def names_of(run: ScanRun, index: Index | None, column: Literal["label", "prediction"], most: int) -> list[str]:
    """Return the most frequent labels or predictions, sorted."""
    one_of(column, ("label", "prediction"), "column")
    text = f"SELECT name FROM (SELECT {column} AS name, count(*) AS n"
    found = _query(
        run, index, text, Filter(), f"GROUP BY {column} ORDER BY n DESC, name LIMIT $most) ORDER BY name", most=most
    )
    return [name for name in _listed(found["name"]) if name is not None]


def limits(run: ScanRun, index: Index | None) -> dict[str, tuple[float, float]]:
    """Return the smallest and largest value of each statistic; statistics without finite values are left out."""
    names = [name for name in STATISTICS if index is not None or name not in OF_INDEX]
    text = ", ".join(
        f"min({name}) FILTER (isfinite({name}::DOUBLE)) AS {name}_low, "
        f"max({name}) FILTER (isfinite({name}::DOUBLE)) AS {name}_high"
        for name in names
    )
    found = _query(run, index, f"SELECT {text}", Filter())
    ends = {name: [_listed(found[f"{name}_{end}"])[0] for end in ("low", "high")] for name in names}
    return {name: (float(low), float(high)) for name, (low, high) in ends.items() if low is not None}


def points(run: ScanRun, index: Index, chosen: Filter, colour: str, most: int = MOST_POINTS) -> Points:
    """Return the images of the map with a value for their colour.

    Args:
        run: the scan.
        index: its index.
        chosen: images to show.
        colour: `"label"`, `"prediction"`, `"correct"` or a statistic.
        most: largest number of points. If there are more images, those with the smallest hash of their position are
            returned, so that a narrower filter shows the same ones and more.
    """
    one_of(colour, ("label", "prediction", "correct", *STATISTICS), "colour")
    count = overview(run, index, chosen).count
    share = min(1.0, most / max(1, count))
    text = f"SELECT position, x, y, {colour} AS colour"
    rest = "AND hash(position) <= $limit::UBIGINT ORDER BY position"
    found = _query(run, index, text, chosen, rest, limit=int(share * (2**64 - 1)) if share < 1 else 2**64 - 1)
    xy = np.stack([np.ma.filled(found[axis], np.nan) for axis in "xy"], axis=1).astype(np.float32)
    return Points(np.asarray(found["position"]), xy, np.ma.asarray(found["colour"]), count)


def confusion(run: ScanRun, index: Index | None, chosen: Filter, most: int = MOST_CLASSES) -> Confusion:
    """Return the confusion matrix of the most frequent labels and predictions."""
    text = "SELECT label, prediction, count(*) AS n"
    found = _query(run, index, text, chosen, "AND label IS NOT NULL AND prediction IS NOT NULL GROUP BY ALL")
    pairs = list(zip(_listed(found["label"]), _listed(found["prediction"]), map(int, found["n"]), strict=True))
    totals: dict[str, int] = {}
    for label, prediction, n in pairs:
        for name in (label, prediction):
            totals[name] = totals.get(name, 0) + n
    names = tuple(sorted(sorted(totals, key=lambda name: (-totals[name], name))[:most]))
    place = {name: at for at, name in enumerate(names)}
    counts = np.zeros((len(names), len(names)), np.int64)
    left_out = 0
    for label, prediction, n in pairs:
        if label in place and prediction in place:
            counts[place[label], place[prediction]] += n
        else:
            left_out += n
    return Confusion(names, counts, left_out)


def listed(
    run: ScanRun, index: Index | None, chosen: Filter, order: Order = "position", most: int = MOST_IMAGES
) -> np.ndarray:
    """Return the positions of the first images that pass a filter, int64 [image].

    Raises:
        ArgumentError: if the order is unknown, or needs an index.
    """
    one_of(order, tuple(_ORDERS), "order")
    if index is None and order in OF_INDEX:
        raise ArgumentError(f"The order {order!r} needs an index; make one first.")
    found = _query(run, index, "SELECT position", chosen, f"ORDER BY {_ORDERS[order]} LIMIT $most", most=most)
    return np.asarray(found["position"])


def images(run: ScanRun, positions: Sequence[int], *columns: str) -> list[dict[str, Any]]:
    """Return columns of the table of images, and the position, for some images in the given order."""
    names = ", ".join(f'"{name}"' for name in ("position", *columns))
    text = f"SELECT {names} FROM read_parquet($files) WHERE position IN (SELECT unnest($positions))"
    if len(positions) == 1:  # a constant, for which whole row groups are left out
        text = f"SELECT {names} FROM read_parquet($files) WHERE position = $positions[1]"
    wanted = [int(position) for position in positions]
    found = {row["position"]: row for row in database.rows(text, files(run) | {"positions": wanted})} if wanted else {}
    return [found[position] for position in wanted if position in found]


def _query(
    run: ScanRun, index: Index | None, select: str, chosen: Filter, rest: str = "", **values: Any
) -> dict[str, np.ndarray]:
    condition, parameters = chosen.sql()
    source = f"({_OF_TABLES})" if index is None else "read_parquet($files)"
    given = files(run) if index is None else {"files": [str(index.file)]}
    return database.query(f"{select} FROM {source} WHERE {condition} {rest}", given | parameters | values)


def _listed(column: np.ndarray) -> list[Any]:
    """Return a column as a list, with None for nulls."""
    return np.ma.asarray(column).tolist()


def features(run: ScanRun, positions: Sequence[int]) -> np.ndarray:
    """Return the features of images in the given order, float32 [image, D]; NaN for images without one."""
    text = "SELECT position, feature FROM read_parquet($files) WHERE position IN (SELECT unnest($positions::BIGINT[]))"
    wanted = np.asarray(positions, np.int64)
    found = np.full((len(wanted), run.feature_dim), np.nan, np.float32)
    place = {int(position): at for at, position in enumerate(wanted)}
    for batch in database.batches(text, files(run) | {"positions": wanted.tolist()}):
        rows = [place[position] for position in batch.column("position").to_pylist()]
        found[rows] = database.matrix(batch.column("feature"), run.feature_dim)
    return found


def statistics(run: ScanRun, index: Index, positions: Sequence[int], name: str) -> list[float | None]:
    """Return a statistic of some images, in the given order; None where there is no value."""
    one_of(name, tuple(STATISTICS), "statistic")
    text = f"SELECT position, {name} AS value FROM read_parquet($files) WHERE position IN (SELECT unnest($positions))"
    wanted = [int(position) for position in positions]
    if not wanted:
        return []
    found = {
        row["position"]: row["value"] for row in database.rows(text, {"files": [str(index.file)], "positions": wanted})
    }
    return [finite(found.get(position)) for position in wanted]
