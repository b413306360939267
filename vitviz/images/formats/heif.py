"""HEIF, the container format of HEIC and AVIF."""

import re
import struct
from collections.abc import Iterator

from ...errors import ImageError
from ..limits import MAX_PIXELS, TOO_LARGE

_HEIC = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"}
_AVIF = {b"avif", b"avis"}
_ANY = {b"mif1", b"msf1"}  # the container, whatever is in it
_CONTAINERS = (b"meta", b"iprp", b"ipco", b"moov", b"trak", b"mdia", b"minf", b"stbl")
_MAX_BOXES = 10_000
_EXIF_ITEM = re.compile(rb"(infe(?:\x02.{7}|\x03.{9}))Exif", re.DOTALL)


def kind_of(start: bytes) -> str | None:
    """Return "HEIC" or "AVIF" by the brands at the start of a file; None if it is neither."""
    if start[4:8] != b"ftyp":
        return None
    (length,) = struct.unpack(">I", start[:4])
    brands = [start[8:12], *(start[at : at + 4] for at in range(16, min(length, len(start)), 4))]
    if brands[0] not in _HEIC | _AVIF | _ANY:  # a film, say, that holds pictures as well
        return None
    told = next((brand for brand in brands if brand in _HEIC | _AVIF), b"heic")
    return "AVIF" if told in _AVIF else "HEIC"


def without_exif(data: bytes) -> bytes:
    """Hide EXIF data from decoders, so that a picture is not rotated twice: the container states its rotation already.

    It also keeps Pillow from reading EXIF tags, each of which can claim the whole of the data.
    """
    return _EXIF_ITEM.sub(rb"\1none", data)


def boxes_of(data: bytes) -> list[tuple[bytes, int, int]]:
    """List name, start and end of all boxes of a file (ISO/IEC 14496-12), including those inside of other boxes.

    Raises:
        ValueError: if there are far too many.
    """
    found = []
    for box in _boxes(data, 0, len(data)):
        found.append(box)
        if len(found) > _MAX_BOXES:
            raise ValueError("too many boxes")
    return found


def check_stated_sizes(data: bytes) -> None:
    """Refuse a file that states a size above the limit for any of its pictures, including tiles and cropped ones.

    Raises:
        ImageError: if so.
    """
    for name, start, end in boxes_of(data):
        if name == b"ispe" and end - start >= 12:
            width, height = struct.unpack_from(">II", data, start + 4)
            if width * height > MAX_PIXELS:
                raise ImageError(TOO_LARGE)


def _boxes(data: bytes, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Name, start and end of each box between two positions in the file."""
    while at + 8 <= end:
        size, name = struct.unpack_from(">I4s", data, at)
        start = at + 8
        if size == 1 and at + 16 <= end:
            (size,) = struct.unpack_from(">Q", data, start)
            start += 8
        stop = min(at + size, end) if size else end
        if stop < start:
            return
        yield name, start, stop
        if name in _CONTAINERS:
            yield from _boxes(data, start + 4 * (name == b"meta"), stop)
        at = stop
