"""Files of the images of a scan, read again from its source."""

from __future__ import annotations

import os
import posixpath
from functools import lru_cache
from hashlib import sha256

import fsspec
from fsspec.implementations.local import LocalFileSystem

from ....errors import ImageError, ScanError
from ....errors.arguments import shown
from ..sources import Source, open_source
from ..sources.files import matching
from ..sources.source import is_inside
from . import answers
from .scan_run import ScanRun

MOST_BYTES = 20_000_000  # of a file that a page opens, as for uploads


def original(run: ScanRun, position: int) -> tuple[str, bytes]:
    """Return the path and the file of an image of a scan.

    The address of the source and the path come from the scan, which may come from anybody. Only files in that local
    source are read, and only if they are the same as when they were scanned.

    Args:
        run: the scan.
        position: position of the image in the source.

    Raises:
        ScanError: if the scan does not have the image, or its file is gone, has changed or is out of reach.
    """
    found = answers.images(run, [position], "path", "sha256", "bytes")
    if not found or None in found[0].values():
        raise ScanError(f"The scan {shown(run.name)} has no image {position}; choose another one.")
    path, digest, size = found[0]["path"], found[0]["sha256"], found[0]["bytes"]
    if size > MOST_BYTES:
        raise ScanError(f"The file {shown(path)} has more than {MOST_BYTES // 1_000_000} MB; scan a smaller copy.")
    try:
        data = _read(run, position, path)
    except (OSError, ValueError, ImageError) as error:
        raise _gone(path) from error
    except ScanError:
        raise
    except Exception as error:  # archives and tables raise errors of their own libraries
        raise _gone(path) from error
    if sha256(data).hexdigest() != digest:
        raise ScanError(f"The file {shown(path)} has changed since it was scanned; scan the images again.")
    return path, data


def _read(run: ScanRun, position: int, path: str) -> bytes:
    kind, uri = run.source_kind, run.source_uri
    if not os.path.isabs(uri):
        raise ScanError("The source of this scan is not on this server; open the images from a local copy.")
    if kind in ("shards", "parquet"):
        for item in _source(uri).items(position, position + 1):
            if item.path == path:
                return item.read()
        raise _gone(path)
    roots = {
        "folder": lambda: uri,
        "glob": lambda: matching(LocalFileSystem(), uri)[0],
        "list": lambda: os.path.dirname(uri),
    }
    if kind not in roots:
        raise ScanError(f"The source of this scan is {shown(kind)}, which cannot be opened; scan the images again.")
    root = os.path.realpath(roots[kind]())
    real = os.path.realpath(posixpath.join(root, path))
    if not is_inside(path) or not real.startswith(os.path.join(root, "")) or not os.path.isfile(real):
        raise _gone(path)
    with open(real, "rb") as file:
        return file.read(MOST_BYTES + 1)


@lru_cache(maxsize=4)
def _source(uri: str) -> Source:
    """Return a source of archives or tables, whose members are listed once."""
    fs, _ = fsspec.core.url_to_fs(uri)
    if not isinstance(fs, LocalFileSystem):
        raise ScanError("The source of this scan is not on this server; open the images from a local copy.")
    return open_source(uri)


def _gone(path: str) -> ScanError:
    return ScanError(f"The file {shown(path)} is no longer in the source of the scan; put it back, or scan again.")
