"""Reader of JPEG files; Pillow gets the main image only, without thumbnails, profiles and other MPO images."""

from io import BytesIO

from PIL import Image

from ...errors import ImageError
from ..exif import orientation
from ..limits import check_sides
from ..pixels import SafeImage, to_rgb, upright

_START_OF_SCAN, _END, _EXIF, _COMMENT = 0xDA, 0xD9, 0xE1, 0xFE
_KEPT = (0xE0, 0xEE)  # JFIF and Adobe state the colour space
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_ALONE = {0x01, *range(0xD0, 0xD9)}  # markers without a body
_MAX_SCANS = 100  # a typical progressive file has about ten; each passes through the whole image
_USUAL = (0xC0, 0xC1, 0xC2, 0xC9, 0xCA)  # baseline, extended and progressive


def read(data: bytes) -> SafeImage:
    """Read a JPEG file.

    Raises:
        ImageError: if it is of a kind that browsers do not support either, such as 12 bits per sample.
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
        raise ImageError(f"This JPEG file has more than {_MAX_SCANS} scans; save it again as a standard JPEG.")
    still = b"".join([*parts, data[at:]])
    with Image.open(BytesIO(still), formats=("JPEG",)) as image:
        check_sides(*image.size)
        image.load()
    rgb, _ = to_rgb(image)
    return SafeImage(upright(rgb, orientation(exif)))


def _check_kind(marker: int, frame: bytes) -> None:
    """Refuse kinds of JPEG that common decoders do not support."""
    if marker in _USUAL and frame[0] == 8:
        return
    what = f"has {frame[0]} bits per sample" if marker in _USUAL else "is lossless or hierarchical"
    raise ImageError(f"This JPEG file {what}, which is not supported; save it as a standard 8-bit JPEG, or as PNG.")
