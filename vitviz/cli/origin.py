"""Origin of result files, so that a result never overwrites one for an image of another folder.

An output image or NumPy archive contains a checksum of the source image's location and a digest of its bytes; a report
contains the locations of its source folders. The location identifies the image, the digest shows if it has changed.
Files without an origin, such as those of other programs, are never treated as results.
"""

from __future__ import annotations

import glob
import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from zlib import crc32

import numpy as np
from PIL import ExifTags, Image

from ..viz.export import PICTURES

EXTENSIONS = (*PICTURES.values(), "npz")  # of files with an origin
_DIGEST, _LOCATION = "image_sha256", "image_place"


def of_image(path: Path, out: Path) -> dict[str, str]:
    """Return the origin of an image: location and digest, or the location only if the image cannot be read.

    Args:
        path: path of the image.
        out: output folder.
    """
    origin = {_LOCATION: location(path, out)}
    if not os.path.isfile(path):  # reading a pipe would block
        return origin
    try:
        with path.open("rb") as file:
            return {_DIGEST: hashlib.file_digest(file, "sha256").hexdigest(), **origin}
    except OSError:  # reported when the image is read
        return origin


def location(path: Path, out: Path) -> str:
    """Return a checksum of a path relative to the output folder, so that both can be moved together.

    Links to folders are resolved; a link to an image has its own location.
    """
    relative = str(path)
    with suppress(ValueError):  # invalid path, or another drive
        relative = os.path.join(os.path.realpath(path.parent), path.name)
        relative = os.path.relpath(relative, os.path.realpath(out))
    return f"{crc32(relative.encode('utf-8', 'surrogateescape')):08x}"


def is_about(file: Path, origin: Mapping[str, str]) -> bool:
    """Return True if a file is a result for the image at this location, in its current or an earlier state.

    The same bytes at another location count as another image, because one of the two may be edited later.
    """
    return _metadata(file).get(_LOCATION) == origin[_LOCATION]


def is_of_these_bytes(file: Path, origin: Mapping[str, str]) -> bool:
    """Return True if a file is a result for the current bytes of the image."""
    return _DIGEST in origin and _metadata(file).get(_DIGEST) == origin[_DIGEST]


def folder(typed: str) -> Path:
    """Return the folder of an argument, which is a folder, a file or a pattern."""
    path = Path(typed)
    if not os.path.isdir(path):
        path = path.parent
    while glob.has_magic(str(path)) and not os.path.lexists(path):
        path = path.parent
    return path


def names(folders: Iterable[Path]) -> str:
    """Return the last parts of the folders' paths, as a part of a file name."""
    return " ".join(filter(None, (folder.name for folder in folders)))


def _metadata(file: Path) -> dict:
    """Return the metadata of a result file; empty if vitviz did not write it."""
    try:
        if file.suffix == ".npz":
            with np.load(file) as arrays:
                metadata = json.loads(str(arrays["metadata"]))
        else:
            with Image.open(file, formats=list(PICTURES)) as image:
                comment = image.getexif().get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.UserComment, b"")
                metadata = json.loads(image.info.get("vitviz") or comment.removeprefix(b"ASCII\0\0\0"))
    except Exception:  # files of other programs may be invalid in any way
        return {}
    return metadata if isinstance(metadata, dict) else {}
