"""Scans of data sets: a model looks at all images of a source and writes Parquet files, see docs/data-format.md."""

from .reader import Scan, open_scan
from .run import scan

__all__ = ["Scan", "open_scan", "scan"]
