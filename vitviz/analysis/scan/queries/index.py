"""Index of a scan: the few numbers of each image that queries need, in one small file, and the heads' habits.

The tables of a scan hold some kilobytes for each image. Reading a statistic of all heads for a million images takes
seconds, so one pass over the tables computes what filters, the map and the board of heads need.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ....errors import ScanError
from ....errors.progress import Progress, silent
from ....trace.atomic_write import complete_file
from ...tokens.pca import Components, principal
from . import database
from .scan_run import LISTS, ScanRun

AXES = 10_000  # images, evenly spread, from which the axes of the map and the ranges of the statistics are computed
REFERENCE = 1_000  # images, evenly spread, to which each image is compared if there are more than AXES
NEIGHBOURS = 5  # nearest images whose mean cosine distance is the isolation of an image
BINS = 512  # of the histogram of a head
USUAL = (0.01, 0.99)  # quantiles between which a head's statistic is usual
MOST_BYTES = 1_000_000_000  # of all indexes together
VERSION = 1
INDEX, HABITS = "index.parquet", "habits.npz"
_COPIED = ("position", "label", "prediction", "correct", "probability", "outliers")


@dataclass(frozen=True, eq=False)
class Index:
    """Index of a scan.

    Attributes:
        file: Parquet file with one row per image: position, label, prediction, correct, x, y and statistics.
        habits: histograms of every head, by statistic; see `HeadHistograms`.
        explained: share of the variance along the two axes of the map, estimated from `axes_count` images.
        axes_count: number of images from which the axes were computed.
        reference_count: number of images to which each image was compared for its isolation.
    """

    file: Path
    habits: dict[str, HeadHistograms]
    explained: tuple[float, float]
    axes_count: int
    reference_count: int


@dataclass(frozen=True, eq=False)
class HeadHistograms:
    """Distribution of a statistic of every head over all images.

    Attributes:
        counts: images by bin, int64 [layer, head, bin].
        edges: edges of the bins, float32 [layer, head, bin + 1]. Values outside are counted in the first or last bin.
    """

    counts: np.ndarray
    edges: np.ndarray

    def quantile(self, share: float) -> np.ndarray:
        """Return a quantile of every head, to the width of a bin, float32 [layer, head]; NaN without images."""
        cumulated = self.counts.cumsum(axis=-1)
        wanted = share * cumulated[..., -1:]
        at = (cumulated < wanted).sum(axis=-1, keepdims=True).clip(max=self.counts.shape[-1] - 1)
        low, high = (np.take_along_axis(self.edges, at + more, axis=-1) for more in (0, 1))
        inside = np.take_along_axis(self.counts, at, axis=-1)
        before = np.take_along_axis(cumulated, at, axis=-1) - inside
        part = np.divide(wanted - before, inside, out=np.zeros(wanted.shape), where=inside > 0).clip(0, 1)
        found = (low + part * (high - low))[..., 0]
        return np.where(cumulated[..., -1] > 0, found, np.nan).astype(np.float32)

    @property
    def images(self) -> int:
        """Number of images with a value."""
        return int(self.counts.sum(axis=-1).max())


def open_index(run: ScanRun, folder: Path) -> Index | None:
    """Return the index of a scan in a folder of indexes; None if it was not made, or was made by another version."""
    place = _place(run, folder)
    try:
        with np.load(place / HABITS) as saved:
            habits = {
                name: HeadHistograms(saved[f"{name}_counts"], saved[f"{name}_edges"])
                for name in LISTS
                if f"{name}_counts" in saved
            }
            about = saved["about"]
        os.utime(place)  # the last use
    except (OSError, ValueError, KeyError, EOFError):
        return None
    if not (place / INDEX).is_file() or len(about) != 4:
        return None
    return Index(place / INDEX, habits, (float(about[0]), float(about[1])), int(about[2]), int(about[3]))


def make_index(run: ScanRun, folder: Path, progress: Progress | None = None) -> Index:
    """Read a scan once, write its index, and return it. Old indexes are deleted beyond `MOST_BYTES`.

    Args:
        run: the scan.
        folder: folder of indexes.
        progress: function called with the number of images done and in total. An exception that it raises stops it.

    Raises:
        ScanError: if the tables are damaged, or the index cannot be written.
    """
    report = progress or silent
    total = int(database.query("SELECT count(*) AS n FROM read_parquet($files)", files(run))["n"][0])
    report(0, total)
    sample = _sample(run, total)
    place = _place(run, folder)
    try:
        place.mkdir(parents=True, exist_ok=True)
        _write(run, sample, place, total, report)
        _forget_old(folder, place)
    except OSError as error:
        raise ScanError(f"The index of the scan cannot be written to {folder}; free some space there.") from error
    made = open_index(run, folder)
    if made is None:
        raise ScanError("The index of the scan was deleted while it was made; open the page again.")
    return made


def files(run: ScanRun) -> dict[str, Any]:
    """Return the parameter of a query over the tables of a scan."""
    return {"files": list(run.shards)}


@dataclass(frozen=True, eq=False)
class _Sample:
    """Images evenly spread over a scan: axes of the map, directions to compare with, and ranges of the statistics."""

    components: Components
    positions: np.ndarray
    directions: np.ndarray
    edges: dict[str, np.ndarray]
    usual: dict[str, np.ndarray]


def _sample(run: ScanRun, total: int) -> _Sample:
    step = max(1, -(-total // AXES))
    heads = run.layers * run.heads
    parts: dict[str, list[np.ndarray]] = {name: [] for name in ("position", "feature", *LISTS)}
    text = f"SELECT position, feature, {', '.join(LISTS)} FROM read_parquet($files) WHERE position % $step = 0"
    for batch in database.batches(text, files(run) | {"step": step}):
        parts["position"].append(batch.column("position").to_numpy(zero_copy_only=False))
        parts["feature"].append(database.matrix(batch.column("feature"), run.feature_dim))
        for name in LISTS:
            parts[name].append(database.matrix(batch.column(name), heads))
    joined = {name: np.concatenate(found) for name, found in parts.items() if found}
    if not joined:
        raise ScanError("The scan has no images; check its tables.")
    is_finite = np.isfinite(joined["feature"]).all(axis=1)
    features, positions = joined["feature"][is_finite], joined["position"][is_finite]
    if not len(features):
        raise ScanError("No feature of the scan is finite; check the weights of its model.")
    thinned = slice(None) if total <= AXES else slice(None, None, max(1, len(features) // REFERENCE))
    edges, usual = {}, {}
    for name in LISTS:
        values = joined[name][np.isfinite(joined[name]).all(axis=1)]
        if len(values):
            low, high = values.min(axis=0), values.max(axis=0)
            room = np.maximum(0.05 * (high - low), 1e-6)
            edges[name] = np.linspace(low - room, high + room, BINS + 1, axis=-1).astype(np.float32)
            usual[name] = np.quantile(values, USUAL, axis=0).astype(np.float32)
    return _Sample(
        principal(features, min(2, features.shape[1])), positions[thinned], unit(features[thinned]), edges, usual
    )


def _write(run: ScanRun, sample: _Sample, place: Path, total: int, report: Progress) -> None:
    import pyarrow as pa

    heads, done = run.layers * run.heads, 0
    counts = {name: np.zeros(heads * BINS, np.int64) for name in sample.edges}
    text = (
        "SELECT position, label, prediction, correct, top5_probability[1]::FLOAT AS probability, "
        f"len(outliers)::INTEGER AS outliers, feature, {', '.join(LISTS)} FROM read_parquet($files)"
    )
    with complete_file(place / INDEX) as part, _Writer(part) as writer:
        for batch in database.batches(text, files(run)):
            columns = {name: batch.column(name) for name in _COPIED}
            positions = columns["position"].to_numpy(zero_copy_only=False)
            features = database.matrix(batch.column("feature"), run.feature_dim)
            features[~np.isfinite(features).all(axis=1)] = np.nan
            scores = np.zeros((len(features), 2), np.float32)
            scores[:, : len(sample.components.axes)] = sample.components.scores(features)
            columns["x"], columns["y"] = pa.array(scores[:, 0]), pa.array(scores[:, 1])
            columns["isolation"] = pa.array(_isolation(sample, positions, features), from_pandas=True)
            unusual = np.zeros(len(features), np.int32)
            for name in LISTS:
                values = database.matrix(batch.column(name), heads)
                columns[name] = pa.array(_mean(values), from_pandas=True)
                if name in sample.edges:
                    counts[name] += _bins(values, sample.edges[name])
                    low, high = sample.usual[name]
                    unusual += ((values < low) | (values > high)).sum(axis=1, dtype=np.int32)
            columns["unusual"] = pa.array(unusual)
            writer.write(pa.table(columns))
            done += len(features)
            report(done, max(done, total))
    shape = (run.layers, run.heads, -1)
    saved = {f"{name}_counts": values.reshape(shape) for name, values in counts.items()}
    saved |= {f"{name}_edges": values.reshape(shape) for name, values in sample.edges.items()}
    explained = np.zeros(2)
    explained[: len(sample.components.explained)] = sample.components.explained
    about = np.array([*explained, min(total, AXES), len(sample.positions)])
    with complete_file(place / HABITS) as part, part.open("wb") as file:
        np.savez_compressed(file, about=about, **saved)


class _Writer:
    """Parquet file whose columns are those of the first table."""

    def __init__(self, path: Path):
        self._path, self._writer = path, None

    def __enter__(self) -> _Writer:
        return self

    def __exit__(self, *_: object) -> None:
        if self._writer is not None:
            self._writer.close()

    def write(self, table: Any) -> None:
        """Append a table as a row group."""
        import pyarrow.parquet as pq

        self._writer = self._writer or pq.ParquetWriter(self._path, table.schema, compression="zstd")
        self._writer.write_table(table)


def _isolation(sample: _Sample, positions: np.ndarray, features: np.ndarray) -> np.ndarray:
    """Return the mean cosine distance to the nearest other images of the sample; NaN if there are none."""
    alike = unit(features) @ sample.directions.T
    others = len(sample.positions) - 1
    if others < 1:
        return np.full(len(features), np.nan, np.float32)
    alike[positions[:, None] == sample.positions[None]] = -np.inf
    count = min(NEIGHBOURS, others)
    nearest = np.partition(alike, -count, axis=1)[:, -count:].mean(axis=1)
    return np.where(np.isfinite(features).all(axis=1), 1 - nearest, np.nan).astype(np.float32)


def unit(features: np.ndarray) -> np.ndarray:
    """Return features, float32 [image, D], at unit length; zero vectors stay zero."""
    norms = np.linalg.norm(features, axis=1, keepdims=True)
    return np.divide(features, norms, out=np.zeros_like(features), where=norms > 0)


def _mean(values: np.ndarray) -> np.ndarray:
    return values.mean(axis=1, dtype=np.float64).astype(np.float32)


def _bins(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Count the values of each head, [image, head], by bin, [head x bin]; values that are not finite are left out."""
    values = values[np.isfinite(values).all(axis=1)]
    low, width = edges[:, 0], (edges[:, -1] - edges[:, 0]) / BINS
    at = ((values - low) / width).clip(0, BINS - 1).astype(np.int64) + np.arange(len(edges)) * BINS
    return np.bincount(at.ravel(), minlength=len(edges) * BINS)


def _place(run: ScanRun, folder: Path) -> Path:
    return folder / f"{run.digest}-{VERSION}"


def _forget_old(folder: Path, newest: Path) -> None:
    """Delete the indexes that were not used for the longest time, until the others have `MOST_BYTES` together."""
    found: list[tuple[float, int, Path]] = []
    for place in folder.iterdir():
        with suppress(OSError):
            found.append((place.stat().st_mtime, sum(file.stat().st_size for file in place.iterdir()), place))
    size = sum(bytes_ for _, bytes_, _ in found)
    for _, bytes_, place in sorted(found):
        if size <= MOST_BYTES or place == newest:
            continue
        _remove(place)
        size -= bytes_


def _remove(place: Path) -> None:
    with suppress(OSError):
        for file in place.iterdir():
            file.unlink()
        place.rmdir()
