"""Source of Parquet files with a column of image bytes, as Hugging Face `datasets` writes them, for example."""

from __future__ import annotations

import json
import posixpath
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from hashlib import sha256

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from fsspec import AbstractFileSystem

from ....errors import ScanError
from ....errors.arguments import shown
from .source import MAX_BYTES, TOO_LONG, Item, Source, encoded, refusal, text_of

IMAGE_COLUMNS = ("image", "img", "bytes", "image_bytes", "jpg", "png", "webp", "content")  # in order of preference
LABEL = "label"
ROWS = 16  # read at a time
DAMAGED = "This Parquet file is damaged or incomplete; download or write it again."


@dataclass(frozen=True)
class _File:
    """One Parquet file.

    Attributes:
        name: path relative to the folder of all files.
        rows: number of rows of each row group; () if the file is damaged, which counts as one image.
        column: column of the images.
        names: names of integer labels, from the metadata of Hugging Face; None for none.
        has_labels: True if it has a column of labels.
    """

    name: str
    rows: tuple[int, ...] = ()
    column: str = ""
    names: tuple[str, ...] | None = None
    has_labels: bool = False

    @property
    def is_damaged(self) -> bool:
        """True if the file could not be opened."""
        return not self.column

    def __len__(self) -> int:
        return 1 if self.is_damaged else sum(self.rows)


class Tables(Source):
    """Images of Parquet files, in the order of the files and of their rows. Row groups are read in parts.

    Args:
        uri: see `Source`.
        fs: file system.
        root: folder of the files.
        names: files relative to the root, in order.

    Raises:
        ScanError: if a file has no column of image bytes.
    """

    kind = "parquet"

    def __init__(self, uri: str, fs: AbstractFileSystem, root: str, names: list[str]):
        self.uri, self._fs, self._root = uri, fs, root
        self._files = [self._opened(name) for name in names]
        self._starts = np.cumsum([0, *map(len, self._files)])
        self.labels = "column" if any(file.has_labels for file in self._files) else None
        self.digest = sha256(repr((self.kind, self.labels, self._files)).encode()).hexdigest()

    def __len__(self) -> int:
        return int(self._starts[-1])

    def items(self, start: int, stop: int) -> Iterator[Item]:
        """Yield the images with the positions from `start` up to `stop`; they are in memory."""
        for file, first in zip(self._files, self._starts, strict=False):
            low, high = max(0, start - int(first)), min(len(file), stop - int(first))
            if low < high:
                yield from self._rows(file, int(first), low, high)

    def _opened(self, name: str) -> _File:
        try:
            with self._fs.open(posixpath.join(self._root, name), "rb") as handle:
                file = pq.ParquetFile(handle)
                schema, metadata = file.schema_arrow, file.metadata
                rows = tuple(metadata.row_group(i).num_rows for i in range(metadata.num_row_groups))
        except (OSError, pa.ArrowException):
            return _File(name)
        column = next((one for one in IMAGE_COLUMNS if one in schema.names and _holds_images(schema.field(one))), None)
        if column is None:
            raise ScanError(
                f"{shown(name)} has no column of image bytes; name it {IMAGE_COLUMNS[0]}, with binary values."
            )
        return _File(name, rows, column, _class_names(schema), LABEL in schema.names)

    def _rows(self, file: _File, first: int, low: int, high: int) -> Iterator[Item]:
        name = text_of(encoded(file.name))
        if file.is_damaged:
            yield Item(first, name, None, refusal(DAMAGED))
            return
        with self._fs.open(posixpath.join(self._root, file.name), "rb") as handle:
            table, ends = pq.ParquetFile(handle), np.cumsum(file.rows)
            groups = [i for i, end in enumerate(ends) if end > low and end - file.rows[i] < high]
            row = int(ends[groups[0]] - file.rows[groups[0]])
            columns = [file.column, *([LABEL] if file.has_labels else [])]
            for batch in table.iter_batches(ROWS, groups, columns, use_threads=False):
                for i in range(max(0, low - row), min(len(batch), high - row)):
                    label = _label(batch[LABEL][i].as_py(), file.names) if file.has_labels else None
                    yield Item(first + row + i, f"{name}/{row + i}", label, _reader(batch[file.column][i]))
                row += len(batch)
                if row >= high:
                    return


def _holds_images(field: pa.Field) -> bool:
    kind = field.type
    if pa.types.is_struct(kind):
        kind = next((kind.field(i).type for i in range(kind.num_fields) if kind.field(i).name == "bytes"), None)
    return kind is not None and (pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _reader(value: pa.Scalar) -> Callable[[], bytes]:
    if isinstance(value, pa.StructScalar):
        value = value["bytes"] if value.is_valid else value
    if not value.is_valid:
        return refusal("This row has no image; write the bytes of its file into the table.")
    if len(value.as_buffer()) > MAX_BYTES:
        return refusal(TOO_LONG)
    return partial(_bytes, value.as_py())


def _bytes(data: bytes) -> bytes:
    return data


def _label(value: object, names: tuple[str, ...] | None) -> str | None:
    if isinstance(value, int) and names and 0 <= value < len(names):
        return names[value]
    return None if value is None else str(value)


def _class_names(schema: pa.Schema) -> tuple[str, ...] | None:
    """Return the names of the classes from the metadata that Hugging Face `datasets` writes; None without them."""
    try:
        about = json.loads((schema.metadata or {})[b"huggingface"])
        names = about["info"]["features"][LABEL]["names"]
    except (KeyError, TypeError, ValueError):
        return None
    is_valid = isinstance(names, list) and all(isinstance(name, str) for name in names)
    return tuple(names) if is_valid else None
