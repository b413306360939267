"""Decoded images, shared by all users."""

from __future__ import annotations

import threading
from weakref import WeakValueDictionary

from ...images import SafeImage, read_image
from ...viz.explorer.payload import as_jpeg
from ...viz.picture import middle_square
from .cache import cached

preparing = threading.BoundedSemaphore(2)  # of many uploads at once, the first one is shown long before the last
_in_use: WeakValueDictionary[str, SafeImage] = WeakValueDictionary()  # by digest


def decoded(digest: str, data: bytes) -> SafeImage:
    """Return a decoded image.

    While a caller holds it, it is not decoded again: photos of phones take 48 MB each, so the cache soon drops it.

    Args:
        digest: digest of the file.
        data: content of the file.

    Raises:
        ImageError: if the file is not a valid image.
    """
    image = _in_use[digest] = _decode(digest, data)
    return image


def thumbnail(image: SafeImage, side: int = 240) -> bytes:
    """Return a square thumbnail as JPEG."""
    return as_jpeg(middle_square(image, side))


@cached("Reading the image …", share=0.2)
def _decode(digest: str, _data: bytes) -> SafeImage:
    return _in_use.get(digest) or read_image(_data)
