"""Neighbours of an image by the cosine of the features."""

from __future__ import annotations

from ....analysis.scan.queries.index import Index
from ....analysis.scan.queries.scan_run import ScanRun


def draw(run: ScanRun, index: Index | None, position: int) -> None:
    """Draw the nearest images of an image."""
