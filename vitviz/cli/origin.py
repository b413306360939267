"""Origins: by them a file says what it is about, so that no answer takes the place of another folder's.

A picture or an archive of numbers tells a checksum of the image's place and a digest of its bytes; a report tells the
places of the folders whose images are in it. The place tells which image it is, the digest whether it has changed. What
tells neither, such as a file of somebody else, is never taken for an answer.
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

ENDINGS = (*PICTURES.values(), "npz")  # of the files that tell an origin
_DIGEST, _PLACE = "image_sha256", "image_place"


def of_image(path: Path, out: Path) -> dict[str, str]:
    """Facts by which an image is known again; of one that cannot be read its place alone.

    Args:
        path: of the image.
        out: the folder with the answers.
    """
    placed = {_PLACE: place(path, out)}
    if not os.path.isfile(path):  # a pipe would be waited for
        return placed
    try:
        with path.open("rb") as file:
            return {_DIGEST: hashlib.file_digest(file, "sha256").hexdigest(), **placed}
    except OSError:  # reported when the image is read
        return placed


def place(path: Path, out: Path) -> str:
    """Checksum of where something lies, seen from the folder with the answers: both may be moved, and no path is told.

    Where a whole folder is a link, that is where it leads; a link to an image is a place of its own.
    """
    here = str(path)
    with suppress(ValueError):  # of no path at all, or from another drive
        here = os.path.join(os.path.realpath(path.parent), path.name)
        here = os.path.relpath(here, os.path.realpath(out))
    return f"{crc32(here.encode('utf-8', 'surrogateescape')):08x}"


def is_about(file: Path, origin: Mapping[str, str]) -> bool:
    """Return True if a file says that it is about the image in this place, or an earlier state of it.

    The same bytes in another place are another image: one of the two may be edited later.
    """
    return _said(file).get(_PLACE) == origin[_PLACE]


def is_of_these_bytes(file: Path, origin: Mapping[str, str]) -> bool:
    """Return True if a file says that it is about the image of this origin as it is now."""
    return _DIGEST in origin and _said(file).get(_DIGEST) == origin[_DIGEST]


def folder(typed: str) -> Path:
    """The folder that somebody meant who typed a folder, a file or a pattern."""
    path = Path(typed)
    if not os.path.isdir(path):
        path = path.parent
    while glob.has_magic(str(path)) and not os.path.lexists(path):
        path = path.parent
    return path


def names(folders: Iterable[Path]) -> str:
    """Names of folders for a part of a file name: their last parts as they were typed."""
    return " ".join(filter(None, (folder.name for folder in folders)))


def _said(file: Path) -> dict:
    """Facts that a file tells of itself; none if vitviz did not write it."""
    try:
        if file.suffix == ".npz":
            with np.load(file) as arrays:
                said = json.loads(str(arrays["metadata"]))
        else:
            with Image.open(file, formats=list(PICTURES)) as image:
                comment = image.getexif().get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.UserComment, b"")
                said = json.loads(image.info.get("vitviz") or comment.removeprefix(b"ASCII\0\0\0"))
    except Exception:  # somebody else's file may be damaged or strange in any way
        return {}
    return said if isinstance(said, dict) else {}
