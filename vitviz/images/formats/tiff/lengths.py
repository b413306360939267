"""Lengths of compressed segments: an upper bound, and data to append for a test of completeness.

Decoders of fax codes and JPEG fill in missing pixels without an error. They stop reading after the last pixel, so data
appended to a complete segment do not change it, while data appended to a truncated segment are decoded as its pixels.
"""

import re

import numpy as np

from . import tags
from .layout import Layout

_REVERSED = bytes(int(f"{value:08b}"[::-1], 2) for value in range(256))
_FAX_BYTES_PER_PIXEL = 1  # longest codes of Group 4: 7 bits per change of colour, and pass codes between them
_FAX_BYTES_PER_ROW = 64  # end of row, and fill bits
_JPEG_BYTES_PER_SAMPLE = 4  # a coefficient takes at most 27 bits
_JPEG_UNIT = 32  # sides are padded to units of at most 4 x 4 blocks
_EXPANSION = 3  # LZW takes up to 18 bits per byte, PackBits 16
_EOL = "000000000001"


def most_bytes(layout: Layout, rows: int) -> int:
    """Return the largest possible size in bytes of a segment with this number of pixel rows."""
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
    """Append codes of pixels to a fax or JPEG segment, pseudo-random with seed `kind`.

    For a complete segment, all kinds decode to the same pixels; for a truncated one they differ. Only a few missing
    pixels at the end of the last row can go unnoticed.
    """
    if layout.compression == tags.JPEG:
        end = file.rfind(b"\xff\xd9")
        return file[: end if end >= 0 else len(file)] + _codes(kind) + b"\xff\xd9"
    file = file.translate(_REVERSED) if layout.reversed_bits else file
    # With two-dimensional coding, the bit after an end of row states that the next row is one-dimensional.
    between = "1" if layout.compression == tags.FAX3 and layout.fax_options & 1 else ""
    at, shift = len(file), 0
    if layout.compression != tags.FAX and (found := _TWO_ENDS[between].search(file)):
        at, shift = found.start(), int(found.lastgroup[1:])
    head = f"{file[at]:08b}"[:shift] if shift else ""
    codes = "".join(f"{value:08b}" for value in _codes(kind))
    bits = head + codes + (_EOL + between + codes) * (layout.compression == tags.FAX3)
    bits += "0" * (-len(bits) % 8)
    result = file[:at] + int(bits, 2).to_bytes(len(bits) // 8, "big")
    return result.translate(_REVERSED) if layout.reversed_bits else result


def _codes(kind: int) -> bytes:
    """Bytes that every coding decodes as pixels, without markers and ends of rows."""
    values = np.random.default_rng(kind).integers(0x11, 0xEE, 3000, np.uint8)
    return values[(values % 16 > 0) & (values // 16 > 0)].tobytes()


def _anywhere(bits: str) -> re.Pattern[bytes]:
    """Pattern that finds bits at any offset in bytes; its group `s3` matches those that start 3 bits into a byte."""
    choices = []
    for shift in range(8):
        padded = "." * shift + bits
        padded += "." * (-len(padded) % 8)
        parts = [re.compile(padded[i : i + 8]) for i in range(0, len(padded), 8)]
        fits = [[value for value in range(256) if part.fullmatch(f"{value:08b}")] for part in parts]
        classes = (b"[" + b"".join(b"\\x%02x" % value for value in each) + b"]" for each in fits)
        choices.append(b"(?P<s%d>%s)" % (shift, b"".join(classes)))
    return re.compile(b"|".join(choices))


# Two consecutive ends of row end a segment; any further rows are missing. No code has that many zeros, so the zeros of
# the second end of row identify it, with or without fill bits before it.
_TWO_ENDS = {between: _anywhere(_EOL + between + _EOL[:-1]) for between in ("", "1")}
