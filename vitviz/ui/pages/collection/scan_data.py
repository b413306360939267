"""Cached answers on a scan, shared by all users, and the job that makes its index."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from ....analysis import tokens
from ....analysis.scan.queries import answers, ends
from ....analysis.scan.queries.answers import Confusion, Filter, Order, Overview, Points
from ....analysis.scan.queries.index import Index, make_index, open_index
from ....analysis.scan.queries.scan_run import ScanRun
from ...app import cache, scans
from ...app.cache import cached
from ...app.jobs import background
from ...app.jobs.queue import Job

PLACE = "collection"  # place of the job
NAMES = 1000  # labels offered in a filter


def index_of(run: ScanRun) -> Index | None:
    """Return the index of a scan; None while a job makes it, whose progress is drawn."""
    key = ("scan index", run.digest)
    if cache.results.get(key) is None:
        found = open_index(run, scans.index_folder())
        if found is not None:
            cache.results.put(key, found)
    work = background.Work(key, PLACE, "collection_index", "Read the scan", autostart=True)
    return background.result(work, lambda: background.Step(key, partial(_make, run), describe=_describe))


def known_index(run: ScanRun) -> Index | None:
    """Return the index of a scan if it was made; nothing is drawn."""
    key = ("scan index", run.digest)
    return cache.results.get(key) or open_index(run, scans.index_folder())


def _make(run: ScanRun, job: Job) -> Index:
    return make_index(run, scans.index_folder(), job)


def _describe(job: Job) -> str:
    return f"Reading the scan for the map, filters and heads: {job.done:,} of {job.total:,} images"


def overview(run: ScanRun, index: Index | None, chosen: Filter) -> Overview:
    """See `answers.overview`."""
    return _overview(_key(run, index), chosen, run, index)


def names_of(run: ScanRun, index: Index | None, column: str) -> list[str]:
    """See `answers.names_of`."""
    return _names(run.digest, column, run, index)


def limits(run: ScanRun, index: Index | None) -> dict[str, tuple[float, float]]:
    """See `answers.limits`."""
    return _limits(_key(run, index), run, index)


def points(run: ScanRun, index: Index, chosen: Filter, colour: str, most: int = answers.MOST_POINTS) -> Points:
    """See `answers.points`."""
    return _points(run.digest, chosen, colour, most, run, index)


def neighbourhoods(run: ScanRun, chosen: Filter, positions: np.ndarray) -> np.ndarray | None:
    """Return a t-SNE map of images that pass a filter, float32 [image, 2]; None until it is computed."""
    key = ("scan t-SNE", run.digest, chosen)
    work = background.Work(key, "collection_tsne", "collection_tsne", "Compute the map", autostart=True)
    return background.result(
        work, lambda: background.Step(key, partial(_tsne, run, positions), describe=_describe_tsne)
    )


def _tsne(run: ScanRun, positions: np.ndarray, job: Job) -> np.ndarray:
    job(0, 1)
    features = answers.features(run, positions.tolist())
    known = np.isfinite(features).all(axis=1)
    found = np.full((len(features), 2), np.nan, np.float32)
    found[known] = tokens.project(features[known], "tsne", job)
    return found


def _describe_tsne(job: Job) -> str:
    return "Computing the map with t-SNE"


def confusion(run: ScanRun, index: Index | None, chosen: Filter) -> Confusion:
    """See `answers.confusion`."""
    return _confusion(_key(run, index), chosen, run, index)


def listed(run: ScanRun, index: Index | None, chosen: Filter, order: Order) -> np.ndarray:
    """See `answers.listed`."""
    return _listed(_key(run, index), chosen, order, run, index)


def head_ends(run: ScanRun, statistic: str, layer: int, head: int, count: int) -> ends.HeadEnds:
    """See `ends.head_ends`."""
    return _head_ends(run.digest, statistic, layer, head, count, run)


def images(run: ScanRun, positions: tuple[int, ...], *columns: str) -> list[dict[str, Any]]:
    """See `answers.images`."""
    return _images(run.digest, positions, columns, run)


def _key(run: ScanRun, index: Index | None) -> tuple[str, bool]:
    return run.digest, index is not None


@cached()
def _overview(key: tuple, chosen: Filter, _run: ScanRun, _index: Index | None) -> Overview:
    return answers.overview(_run, _index, chosen)


@cached()
def _names(digest: str, column: str, _run: ScanRun, _index: Index | None) -> list[str]:
    return answers.names_of(_run, _index, column, NAMES)


@cached("Reading the statistics …")
def _limits(key: tuple, _run: ScanRun, _index: Index | None) -> dict[str, tuple[float, float]]:
    return answers.limits(_run, _index)


@cached()
def _points(digest: str, chosen: Filter, colour: str, most: int, _run: ScanRun, _index: Index) -> Points:
    return answers.points(_run, _index, chosen, colour, most)


@cached()
def _confusion(key: tuple, chosen: Filter, _run: ScanRun, _index: Index | None) -> Confusion:
    return answers.confusion(_run, _index, chosen)


@cached()
def _listed(key: tuple, chosen: Filter, order: Order, _run: ScanRun, _index: Index | None) -> np.ndarray:
    return answers.listed(_run, _index, chosen, order)


@cached("Reading the statistic of this head …")
def _head_ends(digest: str, statistic: str, layer: int, head: int, count: int, _run: ScanRun) -> ends.HeadEnds:
    return ends.head_ends(_run, statistic, layer, head, count)


@cached()
def _images(digest: str, positions: tuple[int, ...], columns: tuple[str, ...], _run: ScanRun) -> list[dict[str, Any]]:
    return answers.images(_run, positions, *columns)


def statistics(run: ScanRun, index: Index, positions: tuple[int, ...], name: str) -> list[float | None]:
    """See `answers.statistics`."""
    return _statistics(run.digest, positions, name, run, index)


@cached()
def _statistics(digest: str, positions: tuple[int, ...], name: str, _run: ScanRun, _index: Index) -> list[float | None]:
    return answers.statistics(_run, _index, positions, name)
