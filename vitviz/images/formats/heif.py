"""What HEIC and AVIF have in common: the container HEIF."""

import re
import struct

_HEIC = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"}
_AVIF = {b"avif", b"avis"}
_ANY = {b"mif1", b"msf1"}  # the container, whatever is in it
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
