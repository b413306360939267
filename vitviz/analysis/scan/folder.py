"""Folder of a scan, on this machine or in an object store. Files appear under their names when they are complete."""

from __future__ import annotations

import posixpath
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import fsspec
from fsspec.implementations.local import LocalFileSystem

from ...errors import ScanError
from ...errors.arguments import shown_path
from ...trace.atomic_write import complete_file

_PART = re.compile(r"\.(images|tokens)-\d+\.parquet\..*\.part|\.(run\.json|errors\.parquet)\..*\.part")


def reason_of(error: Exception) -> str:
    """Return what an error of a file system says, on one line."""
    return getattr(error, "strerror", None) or " ".join(str(error).split())[:200] or type(error).__name__


class Folder:
    """Folder of a scan.

    Args:
        address: path, or address of an object store such as `s3://bucket/run`.

    Raises:
        ScanError: if fsspec has no file system for it.
    """

    def __init__(self, address: str):
        self.address = address
        if not address:
            raise ScanError("The name of the folder is empty; give a folder for the scan.")
        try:
            self.fs, path = fsspec.core.url_to_fs(address)
        except (ImportError, ValueError) as error:
            raise ScanError(f"The folder {shown_path(address)} cannot be used ({reason_of(error)}).") from error
        self.path = str(path).rstrip("/") or "/"

    def __str__(self) -> str:
        return self.address

    @property
    def is_local(self) -> bool:
        """True for a folder on this machine."""
        return isinstance(self.fs, LocalFileSystem)

    def names(self) -> list[str]:
        """Return the names of the files in the folder; [] if it does not exist."""
        try:
            self.fs.invalidate_cache(self.path)
            return [posixpath.basename(path) for path in self.fs.ls(self.path, detail=False)]
        except FileNotFoundError:
            return []
        except Exception as error:  # file systems raise errors of their own libraries
            raise ScanError(f"The folder {shown_path(self.address)} cannot be read ({reason_of(error)}).") from error

    def make(self) -> None:
        """Create the folder.

        Raises:
            ScanError: if that is not possible.
        """
        try:
            self.fs.makedirs(self.path, exist_ok=True)
        except Exception as error:
            raise ScanError(
                f"The folder {shown_path(self.address)} cannot be created ({reason_of(error)}); choose another one."
            ) from error

    def at(self, name: str) -> str:
        """Return the path of a file in the folder for its file system."""
        return posixpath.join(self.path, name)

    def has(self, name: str) -> bool:
        """Return True if there is a file of this name, which is then complete."""
        return self.fs.isfile(self.at(name))

    def read(self, name: str) -> bytes:
        """Return the content of a file."""
        return self.fs.cat_file(self.at(name))

    def write(self, name: str, data: bytes) -> None:
        """Write a file atomically."""
        with self.writing(name) as path:
            path.write_bytes(data)

    @contextmanager
    def writing(self, name: str) -> Iterator[Path]:
        """Return a local path in a `with` block; what is written there becomes the file at the end."""
        if self.is_local:
            with complete_file(Path(self.at(name))) as path:
                yield path
            return
        with tempfile.TemporaryDirectory(prefix="vitviz-") as place:
            path = Path(place) / name
            yield path
            self.fs.put_file(str(path), self.at(name))  # object stores show a file when it is complete

    def remove(self, name: str) -> None:
        """Remove a file, if it exists."""
        if self.has(name):
            self.fs.rm_file(self.at(name))

    def remove_parts(self) -> None:
        """Remove what a process that was killed had begun to write."""
        for name in self.names():
            if _PART.fullmatch(name):
                self.remove(name)
