"""Reader of GIF files; Pillow gets the first frame only, without comments and further frames.

Pillow fills the part of the canvas that the first frame does not cover with the colour of index 0. Browsers leave it
transparent.
"""

import struct
from io import BytesIO

from PIL import Image

from ..limits import check_sides
from ..pixels import SafeImage, on_canvas, to_rgb

_IMAGE, _EXTENSION, _END, _GRAPHIC_CONTROL = 0x2C, 0x21, 0x3B, 0xF9


def read(data: bytes) -> SafeImage:
    """Read a GIF file; for an animation the first frame, on a white canvas."""
    width, height, flags = struct.unpack_from("<HHB", data, 6)
    at = 13 + _colours(flags)
    start, control = data[:at], b""
    while data[at] != _IMAGE:
        end = _after_blocks(data, at + 2) if data[at] == _EXTENSION else at + 1
        if data[at] == _END:
            raise EOFError
        if data[at : at + 2] == bytes([_EXTENSION, _GRAPHIC_CONTROL]):
            control = data[at:end]
        at = end
    left, top, frame_width, frame_height, flags = struct.unpack_from("<4HB", data, at + 1)
    size = max(width, left + frame_width), max(height, top + frame_height)  # browsers enlarge the canvas too
    check_sides(*size)
    end = _after_blocks(data, at + 11 + _colours(flags))
    still = start[:6] + struct.pack("<HH", frame_width, frame_height) + start[10:] + control
    still += data[at : at + 1] + bytes(4) + data[at + 5 : end] + bytes([_END])
    with Image.open(BytesIO(still), formats=("GIF",)) as image:
        image.load()
    rgb, _ = to_rgb(image)
    rgb = on_canvas(rgb, size, (left, top, left + frame_width, top + frame_height))
    return SafeImage(rgb, ("This GIF is animated; only its first frame is used.",) if _more(data, end) else ())


def _colours(flags: int) -> int:
    """Size of a colour table in bytes."""
    return 3 * 2 ** ((flags & 7) + 1) if flags & 0x80 else 0


def _after_blocks(data: bytes, at: int) -> int:
    """Position after a chain of blocks."""
    while data[at]:
        at += data[at] + 1
    return at + 1


def _more(data: bytes, at: int) -> bool:
    """Return True if another frame follows."""
    try:
        while data[at] not in (_IMAGE, _END):
            at = _after_blocks(data, at + 2) if data[at] == _EXTENSION else at + 1
        return data[at] == _IMAGE
    except IndexError:
        return False
