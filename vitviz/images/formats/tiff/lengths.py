"""Lengths of compressed segments: the most bytes that one can need, and a test of whether it has all that it needs.

Decoders of fax codes and of JPEG fill in what is missing without an error. They stop reading after the last pixel, so
what follows a complete segment does not change it; what follows a segment that is too short is decoded as its pixels.
"""

import re

import numpy as np

from . import tags
from .layout import Layout

_REVERSED = bytes(int(f"{value:08b}"[::-1], 2) for value in range(256))
_FAX_BYTES_PER_PIXEL = 1  # the longest codes of Group 4: 7 bits for each change of colour, and passes between them
_FAX_BYTES_PER_ROW = 64  # its end, and zeros that kept slow printers in step
_JPEG_BYTES_PER_SAMPLE = 4  # a coefficient takes at most 27 bits
_JPEG_UNIT = 32  # the sides are filled up to units of at most 4 x 4 blocks
_EXPANSION = 3  # LZW takes up to 18 bits for a byte, PackBits 16
_EOL = "000000000001"


def most_bytes(layout: Layout, rows: int) -> int:
    """Largest number of bytes that a segment of this number of rows of pixels can need."""
    raw = -(-rows // layout.subsampling[1]) * layout.row_bytes
    if layout.compression == tags.NONE:
        return raw
    if layout.compression in tags.BILEVEL:
        return rows * (layout.segment[0] * _FAX_BYTES_PER_PIXEL + _FAX_BYTES_PER_ROW) + 1000
    if layout.compression == tags.JPEG:
        width, height = (-(-side // _JPEG_UNIT) * _JPEG_UNIT for side in (layout.segment[0], rows))
        samples = layout.samples if layout.planes == 1 else 1
        return width * height * samples * _JPEG_BYTES_PER_SAMPLE + 100_000
    return _EXPANSION * raw + 1000


def with_more(file: bytes, layout: Layout, kind: int) -> bytes:
    """A segment of fax codes or of JPEG with codes of one kind or another behind its last pixel.

    Two kinds make the same pixels of a complete segment, and others of one that is short; only a few pixels at the end
    of the last row can be missing unnoticed.
    """
    if layout.compression == tags.JPEG:
        end = file.rfind(b"\xff\xd9")
        return file[: end if end >= 0 else len(file)] + _codes(kind) + b"\xff\xd9"
    file = file.translate(_REVERSED) if layout.reversed_bits else file
    between = "1" if layout.compression == tags.FAX3 and layout.fax_options & 1 else ""  # the next row is whole
    at, shift = len(file), 0
    if layout.compression != tags.FAX and (found := _TWO_ENDS[between].search(file)):
        at, shift = found.start(), int(found.lastgroup[1:])
    kept = f"{file[at]:08b}"[:shift] if shift else ""
    codes = "".join(f"{value:08b}" for value in _codes(kind))
    bits = kept + codes + (_EOL + between + codes) * (layout.compression == tags.FAX3)
    bits += "0" * (-len(bits) % 8)
    result = file[:at] + int(bits, 2).to_bytes(len(bits) // 8, "big")
    return result.translate(_REVERSED) if layout.reversed_bits else result


def _codes(kind: int) -> bytes:
    """Bytes that mean pixels in any coding: without its markers and ends of rows."""
    values = np.random.default_rng(kind).integers(0x11, 0xEE, 3000, np.uint8)
    return values[(values % 16 > 0) & (values // 16 > 0)].tobytes()


def _anywhere(bits: str) -> re.Pattern[bytes]:
    """A pattern that finds bits at any place in bytes; its group `s3` matches those that start 3 bits into a byte."""
    choices = []
    for shift in range(8):
        padded = "." * shift + bits
        padded += "." * (-len(padded) % 8)
        parts = [re.compile(padded[i : i + 8]) for i in range(0, len(padded), 8)]
        fits = [[value for value in range(256) if part.fullmatch(f"{value:08b}")] for part in parts]
        classes = (b"[" + b"".join(b"\\x%02x" % value for value in each) + b"]" for each in fits)
        choices.append(b"(?P<s%d>%s)" % (shift, b"".join(classes)))
    return re.compile(b"|".join(choices))


# Two ends of a row with nothing between them end a segment, whose further rows, if there should be any, are missing.
# No codes have as many zeros, so the second is known by its first ones, with or without zeros put in before it.
_TWO_ENDS = {between: _anywhere(_EOL + between + _EOL[:-1]) for between in ("", "1")}
