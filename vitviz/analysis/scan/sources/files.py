"""Sources of single files: a folder, a pattern, or a list in a CSV file."""

from __future__ import annotations

import glob as patterns
import os
import posixpath
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from hashlib import sha256
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
from fsspec import AbstractFileSystem
from fsspec.implementations.local import LocalFileSystem

from ....errors import ImageError, ScanError
from ....errors.arguments import shown_path
from ....notation.natural import natural_key
from .source import (
    MAX_BYTES,
    TOO_LONG,
    Item,
    Kind,
    Source,
    encoded,
    first_folder,
    is_image_name,
    is_inside,
    real_name,
    text_of,
)

PATH, LABEL = "path", "label"  # columns of a list


class Files(Source):
    """Image files below a folder.

    Args:
        kind: kind of the source.
        uri: see `Source`.
        fs: file system.
        root: folder that all paths are relative to.
        names: paths relative to the root, in order.
        labels: `"folders"`, `"csv"` or None.
        given: labels of the files, if they are not their folders.
    """

    def __init__(
        self,
        kind: Kind,
        uri: str,
        fs: AbstractFileSystem,
        root: str,
        names: Sequence[str],
        labels: str | None,
        given: pa.Array | None = None,
    ):
        self.kind, self.uri, self.labels = kind, uri, labels
        self._fs, self._root, self._given = fs, root, given
        # Arrow's array takes a third of the memory of a list of strings.
        self._names = pa.array(map(encoded, names), pa.large_binary(), size=len(names))
        digest = sha256(repr((kind, labels, len(names))).encode())
        for i, name in enumerate(names):
            digest.update(encoded(name) + b"\0")
            if given is not None:
                digest.update(f"{given[i].as_py()}\0".encode())
        self.digest = digest.hexdigest()

    def __len__(self) -> int:
        return len(self._names)

    def items(self, start: int, stop: int) -> Iterator[Item]:
        """Yield the images with the positions from `start` up to `stop`."""
        for position in range(start, min(stop, len(self))):
            raw = self._names[position].as_py()
            name = real_name(raw)
            if self._given is not None:
                label = self._given[position].as_py()
            else:
                label = first_folder(text_of(raw)) if self.labels == "folders" else None
            yield Item(position, text_of(raw), label, partial(_read, self._fs, self._root, name))


def _read(fs: AbstractFileSystem, root: str, name: str) -> bytes:
    if not is_inside(name) or not name:
        raise ImageError("This path leads out of the folder of the list; move the image into it.")
    path = posixpath.join(root, name)
    if not isinstance(fs, LocalFileSystem):
        data = fs.cat_file(path, start=0, end=MAX_BYTES + 1)
    else:
        real = os.path.realpath(path)
        if not real.startswith(os.path.join(os.path.realpath(root), "")):
            raise ImageError("This is a link that leads out of the source; copy the image into it.")
        if os.path.exists(real) and not os.path.isfile(real):  # a pipe would wait for ever
            raise ImageError("This is not a regular file; choose an image file.")
        with open(real, "rb") as file:
            data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise ImageError(TOO_LONG)
    return data


def folder_of_images(fs: AbstractFileSystem, root: str, uri: str, labels: str | None) -> Files:
    """Find the images in and below a folder, in natural order, without hidden files and links to folders."""
    if isinstance(fs, LocalFileSystem):
        names = _below(root)
    else:
        names = (posixpath.relpath(path, root) for path in fs.find(root))
    return Files("folder", uri, fs, root, in_order(filter(is_image_name, names)), labels)


def images_of_pattern(fs: AbstractFileSystem, pattern: str, uri: str, labels: str | None) -> Files:
    """Find the images that match a pattern, or the one with this name, in natural order."""
    root, names = matching(fs, pattern)
    return Files("glob", uri, fs, root, in_order(filter(is_image_name, names)), labels)


def images_of_list(fs: AbstractFileSystem, path: str, uri: str, labels: str | None) -> Files:
    """Read a CSV file with the column `path`, relative to its folder, and perhaps the column `label`.

    Raises:
        ScanError: if it cannot be read, or lacks a column that is needed.
    """
    try:
        with fs.open(path, "rb") as file:
            options = pyarrow.csv.ConvertOptions(
                column_types={PATH: pa.string(), LABEL: pa.string()}, strings_can_be_null=True, null_values=[""]
            )
            table = pyarrow.csv.read_csv(file, convert_options=options)
    except (OSError, pa.ArrowInvalid) as error:
        raise ScanError(f"The list {shown_path(path)} cannot be read; give a CSV file with the column path.") from error
    needed = [PATH, LABEL] if labels == "csv" else [PATH]
    for column in needed:
        if column not in table.column_names:
            raise ScanError(f"The list {shown_path(path)} has no column {column}; name it in the first line.")
    root = posixpath.dirname(path)
    prefix = posixpath.join(root, "")
    names = [(name or "").removeprefix(prefix) for name in table[PATH].to_pylist()]
    given = None
    if labels != "folders" and LABEL in table.column_names:
        given, labels = table[LABEL].combine_chunks().cast(pa.large_string()), "csv"
    return Files("list", uri, fs, root, names, labels, given)


def matching(fs: AbstractFileSystem, pattern: str) -> tuple[str, list[str]]:
    """Return the folder of the part of a pattern without wildcards, and the matching files below it.

    `**` does not follow links to folders, which could form a loop.

    Raises:
        ScanError: if the pattern is not valid.
    """
    *parts, last = pattern.split("/")
    fixed = next((i for i, part in enumerate(parts) if patterns.has_magic(part)), len(parts))
    root, rest = "/".join(parts[:fixed]), "/".join([*parts[fixed:], last])
    if not isinstance(fs, LocalFileSystem):
        return root, [posixpath.relpath(path, root) for path in fs.glob(pattern)]
    if os.path.lexists(pattern):  # a file whose name contains a wildcard
        return root, [rest]
    try:
        return root, [path.relative_to(root or "/").as_posix() for path in Path(root or "/").glob(rest)]
    except ValueError as error:
        raise ScanError(f"{pattern!r} is not a valid pattern; write ** alone between slashes.") from error


def in_order(names: Iterable[str]) -> list[str]:
    """Sort relative paths, with numbers in their names by value: 2 before 10."""
    return sorted(names, key=lambda name: (natural_key(name.split("/")), name))


def _below(root: str) -> Iterator[str]:
    for place, folders, files in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith(".")]
        relative = os.path.relpath(place, root)
        yield from (name if relative == "." else f"{relative}/{name}" for name in files)
