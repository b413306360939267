"""HEIF, the container format of HEIC and AVIF files."""

import re
import struct
from collections.abc import Iterator

from ...errors import ImageError
from ..limits import MAX_PIXELS, TOO_LARGE

_HEIC = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"}
_AVIF = {b"avif", b"avis"}
_ANY = {b"mif1", b"msf1"}  # brands of the container, for any content
_CONTAINERS = (b"meta", b"iprp", b"ipco", b"moov", b"trak", b"mdia", b"minf", b"stbl")
_MAX_BOXES = 10_000
_EXIF_ITEM = re.compile(rb"(infe(?:\x02.{7}|\x03.{9}))Exif", re.DOTALL)


def kind_of(start: bytes) -> str | None:
    """Return "HEIC" or "AVIF" by the brands at the start of a file; None for other files."""
    if start[4:8] != b"ftyp":
        return None
    (length,) = struct.unpack(">I", start[:4])
    brands = [start[8:12], *(start[at : at + 4] for at in range(16, min(length, len(start)), 4))]
    if brands[0] not in _HEIC | _AVIF | _ANY:  # such as a video that contains images
        return None
    brand = next((brand for brand in brands if brand in _HEIC | _AVIF), b"heic")
    return "AVIF" if brand in _AVIF else "HEIC"


def without_exif(data: bytes) -> bytes:
    """Hide EXIF data from decoders, so that the rotation, which the container also states, is not applied twice.

    This also keeps Pillow from reading EXIF tags, each of which can claim all of the data.
    """
    return _EXIF_ITEM.sub(rb"\1none", data)


def boxes_of(data: bytes) -> list[tuple[bytes, int, int]]:
    """List name, start and end of all boxes of a file (ISO/IEC 14496-12), including nested boxes.

    Raises:
        ValueError: if there are too many.
    """
    result = []
    for box in _boxes(data, 0, len(data)):
        result.append(box)
        if len(result) > _MAX_BOXES:
            raise ValueError("too many boxes")
    return result


def check_stated_sizes(data: bytes) -> None:
    """Check the sizes that a file states for its images, including tiles and cropped images.

    Raises:
        ImageError: if one is above the limit.
    """
    for name, start, end in boxes_of(data):
        if name == b"ispe" and end - start >= 12:
            width, height = struct.unpack_from(">II", data, start + 4)
            if width * height > MAX_PIXELS:
                raise ImageError(TOO_LARGE)


def _boxes(data: bytes, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Iterate over name, start and end of each box between two positions in the file."""
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
