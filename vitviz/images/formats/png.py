"""Reader of PNG files; Pillow gets the first image only, without text, profiles and further frames.

Pillow decompresses text and colour profiles, and refuses a file in which these are large even if the image is valid.
For an animation it returns the hidden default image instead of the first frame. It compares a transparent colour of
fewer or more than 8 bits with values that are already scaled.
"""

import struct
import zlib
from collections.abc import Iterator
from io import BytesIO

import numpy as np
from PIL import Image

from ..exif import orientation
from ..limits import check_sides
from ..pixels import Box, SafeImage, on_canvas, to_rgb, upright

_START = b"\x89PNG\r\n\x1a\n"
_GREY, _RGB = 0, 2  # colour types with a single transparent colour
_USED = (b"IHDR", b"PLTE", b"tRNS", b"eXIf", b"acTL", b"fcTL", b"IDAT", b"fdAT", b"IEND")


def read(data: bytes) -> SafeImage:
    """Read a PNG file; for an animation the first frame, on a white canvas."""
    chunks = _chunks(data)
    name, header = next(chunks)
    if name != b"IHDR":
        raise SyntaxError("no header")
    size = struct.unpack(">II", header[:8])
    check_sides(*size)
    once, pixels, control = {}, {b"IDAT": [], b"fdAT": []}, []
    for name, body in chunks:
        if name == b"fcTL":
            control.append((body, bool(pixels[b"IDAT"])))
        elif name == b"IDAT" or (name == b"fdAT" and len(control) == 1):
            pixels[name].append(body if name == b"IDAT" else body[4:])
        else:
            once.setdefault(name, body)
    frames = struct.unpack(">I", once[b"acTL"][:4])[0] if b"acTL" in once else 0
    covered, compressed = (0, 0, *size), b"".join(pixels[b"IDAT"])
    if frames and control and control[0][1]:  # the default image is not part of the animation
        covered, compressed = _place(control[0][0], size), b"".join(pixels[b"fdAT"])
    rgb = _decoded(header, once, covered, compressed)
    rgb = upright(on_canvas(rgb, size, covered), orientation(once.get(b"eXIf", b"")))
    return SafeImage(rgb, ("This PNG is animated; only its first frame is used.",) if frames > 1 else ())


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Iterate over the required chunks; a missing or damaged one is an error."""
    at = len(_START)
    if not data.startswith(_START):
        raise SyntaxError("not a PNG")
    while True:
        length, name = struct.unpack_from(">I4s", data, at)
        body_at, at = at + 8, at + 12 + length
        if at > len(data):
            raise EOFError
        if name not in _USED:
            continue
        body = data[body_at : body_at + length]
        if zlib.crc32(body, zlib.crc32(name)) != struct.unpack_from(">I", data, at - 4)[0]:
            if name in (b"tRNS", b"eXIf"):  # browsers ignore these too
                continue
            raise SyntaxError("a chunk is damaged")
        if name == b"IEND":
            return
        yield name, body


def _place(control: bytes, size: tuple[int, int]) -> Box:
    """Box of a frame on the canvas."""
    width, height, left, top = struct.unpack_from(">4I", control, 4)
    if not (width and height and left + width <= size[0] and top + height <= size[1]):
        raise SyntaxError("a frame is outside of the canvas")
    return left, top, left + width, top + height


def _decoded(header: bytes, once: dict[bytes, bytes], covered: Box, compressed: bytes) -> Image.Image:
    """Decode one image as RGB on a white background."""
    left, top, right, bottom = covered
    header = struct.pack(">II", right - left, bottom - top) + header[8:]
    bits, colour_type = header[8:10]
    transparent = once.get(b"tRNS")
    by_colour = colour_type in (_GREY, _RGB)
    parts = {b"IHDR": header, b"PLTE": once.get(b"PLTE"), b"tRNS": None if by_colour else transparent}
    parts |= {b"IDAT": compressed, b"IEND": b""}
    still = _START + b"".join(_chunk(name, body) for name, body in parts.items() if body is not None)
    with Image.open(BytesIO(still), formats=("PNG",)) as image:
        image.load()
    rgb, _ = to_rgb(image)
    if transparent is not None and by_colour:
        channels = 1 if colour_type == _GREY else 3
        colour = np.array(struct.unpack_from(f">{channels}H", transparent)) & (2**bits - 1)
        hidden = (_numbers(image, still, bits) == colour).all(axis=2)
        rgb.paste((255, 255, 255), mask=Image.fromarray(hidden))
    return rgb


def _chunk(name: bytes, body: bytes) -> bytes:
    return b"".join((struct.pack(">I4s", len(body), name), body, struct.pack(">I", zlib.crc32(body, zlib.crc32(name)))))


def _numbers(image: Image.Image, still: bytes, bits: int) -> np.ndarray:
    """Pixel values as stored in the file, [height, width, 1 or 3]."""
    numbers = np.atleast_3d(np.asarray(image))
    if bits < 8:
        return numbers // (255 // (2**bits - 1)) if image.mode == "L" else numbers.astype(np.uint8)
    if bits == 8 or image.mode != "RGB":
        return numbers
    with Image.open(BytesIO(still), formats=("PNG",)) as low:  # Pillow keeps the high byte only; read the low byte too
        low.tile = [tile._replace(args="RGB;16L") for tile in low.tile]
        low.load()
    return numbers.astype(np.uint16) << 8 | np.asarray(low)
