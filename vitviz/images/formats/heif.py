"""What HEIC and AVIF have in common: the container HEIF."""

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
    """Tell "HEIC" from "AVIF" by the brands at a file's start; None if it is neither."""
    if start[4:8] != b"ftyp":
        return None
    (length,) = struct.unpack(">I", start[:4])
    brands = [start[8:12], *(start[at : at + 4] for at in range(16, min(length, len(start)), 4))]
    if brands[0] not in _HEIC | _AVIF | _ANY:  # a film, say, that holds pictures as well
        return None
    told = next((brand for brand in brands if brand in _HEIC | _AVIF), b"heic")
    return "AVIF" if told in _AVIF else "HEIC"


def without_exif(data: bytes) -> bytes:
    """Hide EXIF data from decoders: how a picture is turned stands in the container, and EXIF must not turn it again.

    Pillow reads every tag of it, too, however often they claim all of it.
    """
    return _EXIF_ITEM.sub(rb"\1none", data)


def boxes_of(data: bytes) -> list[tuple[bytes, int, int]]:
    """List name, start and end of the boxes of a file (ISO/IEC 14496-12), with those inside of containers.

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
    """Refuse a file that states too large a size of any picture in it, be it cropped or a part of another.

    Raises:
        ImageError: if so.
    """
    for name, start, end in boxes_of(data):
        if name == b"ispe" and end - start >= 12:
            width, height = struct.unpack_from(">II", data, start + 4)
            if width * height > MAX_PIXELS:
                raise ImageError(TOO_LARGE)


def _boxes(data: bytes, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Name, start and end of each box between two places."""
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
