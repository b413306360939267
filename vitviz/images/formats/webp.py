"""Reader of WebP files."""

import struct
from io import BytesIO

from PIL import Image

from ..exif import orientation
from ..limits import check_sides
from ..pixels import Box, SafeImage, on_canvas, to_rgb, upright


def read(data: bytes) -> SafeImage:
    """Read a WebP file; for an animation the first frame, on a white canvas."""
    with Image.open(BytesIO(data), formats=("WEBP",)) as image:
        check_sides(*image.size)
        image.load()
        notes = ("This WebP is animated; only its first frame is used.",) if image.is_animated else ()
        rgb, _ = to_rgb(image)
        rgb = on_canvas(rgb, image.size, _covered(data, image.size))
        return SafeImage(upright(rgb, orientation(image.info.get("exif", b""))), notes)


def _covered(data: bytes, size: tuple[int, int]) -> Box:
    """Box of the first frame on the canvas; the decoder fills the rest with black if no frame has transparency."""
    at = 12
    while at + 8 <= len(data):
        name, length = struct.unpack_from("<4sI", data, at)
        if name == b"ANMF":
            numbers = [int.from_bytes(data[at + 8 + 3 * i : at + 11 + 3 * i], "little") for i in range(4)]
            left, top, width, height = 2 * numbers[0], 2 * numbers[1], numbers[2] + 1, numbers[3] + 1
            return left, top, left + width, top + height
        at += 8 + length + length % 2
    return 0, 0, *size
