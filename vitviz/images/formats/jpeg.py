"""JPEG: Pillow gets the main picture only, without thumbnails, profiles and the other pictures of an MPO file."""

from io import BytesIO

from PIL import Image

from ...errors import ImageError
from ..exif import orientation
from ..limits import check_sides
from ..pixels import SafeImage, to_rgb, upright

_START_OF_SCAN, _END, _EXIF, _COMMENT = 0xDA, 0xD9, 0xE1, 0xFE
_KEPT = (0xE0, 0xEE)  # JFIF and Adobe say what the channels mean
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_ALONE = {0x01, *range(0xD0, 0xD9)}  # markers without a body
_MAX_SCANS = 100  # a usual progressive one has about ten; each goes through the whole picture
_USUAL = (0xC0, 0xC1, 0xC2, 0xC9, 0xCA)  # baseline, extended and progressive


def read(data: bytes) -> SafeImage:
    """Read the bytes of a JPEG.

    Raises:
        ImageError: if it is of a kind, such as 12 bits a sample, that browsers do not show either.
    """
    parts, exif, at = [data[:2]], b"", 2
    while True:
        at = data.index(b"\xff", at)
        while data[at] == 0xFF:
            at += 1
        marker, at = data[at], at + 1
        if marker == 0 or marker in _ALONE:
            continue
        if marker == _END:
            raise EOFError
        end = at + int.from_bytes(data[at : at + 2])
        if end < at + 2 or end > len(data):
            raise EOFError
        body = data[at + 2 : end]
        if marker == _EXIF and body.startswith(b"Exif\0\0"):
            exif = exif or body
        if marker in _FRAMES:
            _check_kind(marker, body)
        if marker in _KEPT or not (0xE0 <= marker <= 0xEF or marker == _COMMENT):
            parts += [bytes([0xFF, marker]), data[at:end]]
        at = end
        if marker == _START_OF_SCAN:
            break
    end = data.find(b"\xff\xd9", at)
    if data.count(b"\xff\xda", at, end if end > 0 else len(data)) > _MAX_SCANS:
        raise ImageError(f"This JPEG is drawn in more than {_MAX_SCANS} passes; save it again as an ordinary JPEG.")
    still = b"".join([*parts, data[at:]])
    with Image.open(BytesIO(still), formats=("JPEG",)) as image:
        check_sides(*image.size)
        image.load()
    rgb, _ = to_rgb(image)
    return SafeImage(upright(rgb, orientation(exif)))


def _check_kind(marker: int, frame: bytes) -> None:
    """Refuse kinds of JPEG that ordinary decoders cannot read."""
    if marker in _USUAL and frame[0] == 8:
        return
    what = f"has {frame[0]} bits a sample" if marker in _USUAL else "is of a rare kind (lossless or hierarchical)"
    raise ImageError(f"This JPEG {what} and cannot be read here; save it as an ordinary JPEG of 8 bits, or as PNG.")
