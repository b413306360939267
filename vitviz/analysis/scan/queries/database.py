"""Queries over Parquet files with DuckDB, which reads only the columns and rows that a query needs."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from ....errors import ScanError
from ....notation.extras import require

if TYPE_CHECKING:
    import duckdb

MEMORY = "600MB"  # of all queries together; DuckDB spills to disk beyond
BATCH = 4096  # rows at a time in `batches`
_lock = threading.Lock()
_connections: list[duckdb.DuckDBPyConnection] = []


def query(text: str, parameters: Mapping[str, Any] = MappingProxyType({})) -> dict[str, np.ndarray]:
    """Run a query, and return its columns as arrays. Nulls are masked.

    Args:
        text: SQL; nothing from a user or a file may be part of it.
        parameters: values of its `$names`.

    Raises:
        ScanError: if DuckDB is not installed, or the files are damaged or contradict each other.
    """
    with _Errors():
        return _cursor().execute(text, dict(parameters)).fetchnumpy()


def rows(text: str, parameters: Mapping[str, Any] = MappingProxyType({})) -> list[dict[str, Any]]:
    """Run a query, and return its rows as dictionaries of Python objects; see `query`."""
    with _Errors():
        found = _cursor().execute(text, dict(parameters))
        names = [column[0] for column in found.description]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def batches(text: str, parameters: Mapping[str, Any] = MappingProxyType({})) -> Iterator[Any]:
    """Run a query, and yield its rows as Arrow record batches, of which few are in memory at a time; see `query`."""
    with _Errors():
        yield from _cursor().sql(text, params=dict(parameters)).to_arrow_reader(BATCH)


def matrix(column: Any, width: int) -> np.ndarray:
    """Return an Arrow column of lists as float32 [row, width]; null and incomplete rows are NaN.

    Raises:
        ScanError: if a list has another length.
    """
    import pyarrow as pa

    lengths = column.value_lengths().fill_null(0).to_numpy(zero_copy_only=False)
    if not np.isin(lengths, (0, width)).all():
        raise ScanError(f"A list has {lengths.max()} numbers in place of {width}; scan the images again.")
    found = np.full((len(column), width), np.nan, np.float32)
    flat = column.flatten().cast(pa.float32()).to_numpy(zero_copy_only=False)
    found[lengths > 0] = flat.reshape(-1, width)
    return found


class _Errors:
    """Context in which errors of DuckDB become errors of vitviz."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type | None, error: BaseException | None, traceback: object) -> None:
        if error is None or isinstance(error, ScanError):
            return
        if kind is not None and kind.__module__.startswith(("duckdb", "_duckdb", "pyarrow")):
            raise ScanError(_reason(error)) from error


def _reason(error: BaseException) -> str:
    if "emory" in type(error).__name__ or "OutOfMemory" in type(error).__name__:
        return "This query needs more memory than it may take; narrow the filter."
    return "The tables of the scan are damaged or do not fit together; scan the images again."


def _cursor() -> duckdb.DuckDBPyConnection:
    """Return a cursor of the one connection of this process; threads need cursors of their own."""
    with _lock:
        if not _connections:
            require("data", "A scan")
            import duckdb

            options = {
                "memory_limit": MEMORY,
                "autoinstall_known_extensions": False,  # no query downloads anything
                "autoload_known_extensions": False,
                "preserve_insertion_order": True,
            }
            _connections.append(duckdb.connect(":memory:", config=options))
        return _connections[0].cursor()
