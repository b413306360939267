"""Payloads as text, for a page that contains its data; embedded.js decodes them.

Bytes are deflated and written in base 85, which takes 25 % more characters than bytes (base64: 33 %). Before that, the
bytes at even positions are put before those at odd ones. Half of a float16 number's bytes are random bits of its
mantissa, and the other half, sign and exponent, take a quarter less space when they are coded apart.
"""

from __future__ import annotations

import zlib
from typing import NamedTuple

import numpy as np

# Without < > & and quotes, which have a meaning in HTML.
ALPHABET = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz.-:+=^!/*?()[]{}@%$#_|~"
_DIGITS = np.frombuffer(ALPHABET, np.uint8)


class Embedded(NamedTuple):
    """Payload as text.

    Attributes:
        text: digits.
        size: number of deflated bytes, without the padding to a multiple of four.
    """

    text: str
    size: int


def embedded(data: bytes) -> Embedded:
    """Encode an even number of bytes as text."""
    planes = np.frombuffer(data, np.uint8).reshape(-1, 2).T.tobytes()
    # Vectors hardly ever repeat: a search for repetitions would take longer and add to the size.
    deflate = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS, zlib.DEF_MEM_LEVEL, zlib.Z_HUFFMAN_ONLY)
    deflated = deflate.compress(planes) + deflate.flush()
    rest = np.frombuffer(deflated + bytes(-len(deflated) % 4), ">u4").astype(np.uint32)
    digits = np.empty((len(rest), 5), np.uint8)
    for place in reversed(range(5)):
        rest, digits[:, place] = np.divmod(rest, np.uint32(85))
    return Embedded(_DIGITS[digits].tobytes().decode("ascii"), len(deflated))
