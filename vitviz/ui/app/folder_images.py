"""Images that the server offers to all users: those in the folder VITVIZ_IMAGES.

Users choose them from this list only: a link contains the name of a file in the folder, never a path. A file is read
when its thumbnail is drawn or it is chosen, and sessions that look at the same image share its content.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from weakref import WeakValueDictionary

from ...errors import ImageError
from ...errors.arguments import shown
from ...images import read_image
from ...images.folder import image_names, read_file
from ...notation.natural import natural_key
from ...notation.variables import IMAGES
from . import decoded_images

_log = logging.getLogger(__name__)
MARK = "file-"  # start of an image in links and galleries, before the name of its file
MOST_IMAGES = 24  # offered; more would make each page slow to load
GONE = "The image of this link is not on this server, so a sample is shown instead."


@dataclass(frozen=True)
class FolderImage:
    """Image of the folder.

    Attributes:
        name: name of the file.
        digest: SHA-256 of the file.
        data: the file.
        sample: False, because it is none of the samples.
    """

    name: str
    digest: str
    data: bytes = field(repr=False)
    sample: bool = False

    @property
    def mark(self) -> str:
        """The image in links and galleries."""
        return MARK + self.name


_Version = tuple[str, str, int, int]  # folder, name, time of the last change and size of the file
_in_use: WeakValueDictionary[_Version, FolderImage] = WeakValueDictionary()
_thumbnails: dict[_Version, bytes | None] = {}  # None for files that are no valid images
_lock = threading.Lock()  # held while thumbnails are drawn, so that each is drawn once


def names() -> list[str]:
    """Return the names of the offered files, in natural order; the first `MOST_IMAGES` only."""
    if not IMAGES.text:
        return []
    try:
        found = image_names(Path(IMAGES.text))
    except ImageError:  # told by `vitviz doctor`, and before the server starts
        return []
    return sorted(found, key=lambda name: natural_key([name]))[:MOST_IMAGES]


def image(name: str) -> FolderImage:
    """Return an offered image.

    Raises:
        ImageError: if it is not offered, or cannot be read.
    """
    if name not in names():
        raise ImageError(f"There is no image {shown(name)} on this server; choose one from the gallery.")
    version = _version(name)
    found = _in_use.get(version)
    if found is None:
        data = read_file(Path(IMAGES.text), name)
        found = _in_use[version] = FolderImage(name, sha256(data).hexdigest(), data)
    return found


def decoded(mark: str) -> FolderImage:
    """Return the offered image of a mark, which has been decoded.

    Raises:
        ImageError: if it is not offered, or is no valid image.
    """
    found = image(mark.removeprefix(MARK))
    with decoded_images.preparing:
        decoded_images.decoded(found.digest, found.data)
    return found


def named(mark: str) -> tuple[FolderImage | None, str]:
    """Return the image that a link names, or None and the reason in one sentence."""
    try:
        return decoded(mark), ""
    except ImageError:
        return None, GONE


def thumbnails() -> dict[str, bytes]:
    """Return a thumbnail of each valid image, JPEG, by its mark. Each is drawn once."""
    found = {name: _thumbnail(name) for name in names()}
    return {MARK + name: drawn for name, drawn in found.items() if drawn is not None}


def _thumbnail(name: str) -> bytes | None:
    try:
        version = _version(name)
        with _lock:
            if version not in _thumbnails:
                if len(_thumbnails) >= 2 * MOST_IMAGES:  # files have changed
                    _thumbnails.clear()
                _thumbnails[version] = _drawn(name)
            return _thumbnails[version]
    except ImageError:  # gone meanwhile
        return None


def _drawn(name: str) -> bytes | None:
    data = read_file(Path(IMAGES.text), name)
    try:
        with decoded_images.preparing:
            return decoded_images.thumbnail(read_image(data))
    except ImageError as error:
        _log.warning("An image of the folder %s is left out: %s", IMAGES.name, error)
        return None


def _version(name: str) -> _Version:
    try:
        found = (Path(IMAGES.text) / name).stat()
    except OSError as error:
        raise ImageError(f"The image {shown(name)} is no longer there; choose another one.") from error
    return IMAGES.text, name, found.st_mtime_ns, found.st_size
