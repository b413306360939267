"""From the bytes of a file to a safe image, trusting nothing.

The first bytes choose one decoder (no other is tried), the header's size is checked before anything is decoded, and
whatever a decoder raises becomes an `ImageError`. Colour profiles are ignored, as in training.
"""

import math
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import BytesIO
from os import PathLike
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image

from ..errors import ImageError

FORMATS = ("JPEG", "PNG", "WebP", "GIF", "BMP", "TIFF")
MAX_PIXELS = 64_000_000
MAX_ASPECT = 20
MIN_SIDE = 8

# How files begin: first the formats that work, then those that people try and that deserve an answer by name.
_SIGNATURES = {
    "JPEG": rb"\xff\xd8",
    "PNG": rb"\x89PNG",
    "WebP": rb"RIFF....WEBP",
    "GIF": rb"GIF8",
    "BMP": rb"BM",
    "TIFF": rb"II[*+]\0|MM\0[*+]",
    "SVG": rb"(?:\xef\xbb\xbf)?\s*<(?:svg|[?!].*<svg)",
    "AVIF": rb"....ftypavi[fs]",
    "HEIC": rb"....ftyp(?:he[iv]|mif1|msf1)",
    "PDF": rb".{0,1024}%PDF-",
}
_PNG_END = b"\0\0\0\0IEND\xaeB\x60\x82"
_TURNS = ["FLIP_LEFT_RIGHT", "ROTATE_180", "FLIP_TOP_BOTTOM", "TRANSPOSE", "ROTATE_270", "TRANSVERSE", "ROTATE_90"]
_UPRIGHT = {orientation: Image.Transpose[turn] for orientation, turn in enumerate(_TURNS, start=2)}  # undoes EXIF's

_IN_WORDS = ", ".join(FORMATS[:-1]) + " or " + FORMATS[-1]
_TOO_LARGE = f"This image has more than {MAX_PIXELS // 1_000_000} megapixels; make it smaller and try again."


@dataclass(frozen=True)
class SafeImage:
    """An image that is safe to use: decoded, upright, 8-bit, of reasonable size."""

    rgb: Image.Image  # mode "RGB"
    notes: tuple[str, ...] = ()  # plain sentences on what was done that a person may want to know


def read_image(source: str | Path | bytes | Image.Image) -> SafeImage:
    """Read an image from anywhere, trusting nothing.

    Orientation is applied, transparency is laid on white, and every pixel format becomes 8-bit RGB: 16-bit grey keeps
    its full range, 32-bit grey is scaled as a note then says. Of several frames or pages only the first is used.

    Args:
        source: a path, the bytes of a file, or a PIL image (which is not changed).

    Raises:
        ImageError: if it cannot be used; the message is one sentence that says why and what to do.
    """
    if isinstance(source, Image.Image):
        with _plain_refusals("image"):
            return _as_safe(source)
    data = bytes(source) if isinstance(source, bytes | bytearray | memoryview) else _read_file(source)
    kind = _format_of(data)
    with _plain_refusals(f"{kind} file"), Image.open(BytesIO(data), formats=(kind.upper(),)) as image:
        safe = _as_safe(image, _first_of_many(image, kind))
        if kind == "PNG" and _PNG_END not in data:
            raise EOFError  # Pillow is content with a PNG whose last bytes are missing
        return safe


def _read_file(path: str | Path) -> bytes:
    if not isinstance(path, str | PathLike):
        raise ImageError(f"An image cannot be read from a {type(path).__name__}; give a path, bytes or a PIL image.")
    try:
        if Path(path).is_dir():
            raise ImageError(f"{str(path)!r} is a folder; choose an image file in it.")
        if not Path(path).is_file():
            raise ImageError(f"There is no file {str(path)!r}; check its name.")
        return Path(path).read_bytes()
    except OSError as error:
        raise ImageError(f"The file {str(path)!r} cannot be read; check its name and permissions.") from error


def _format_of(data: bytes) -> str:
    """Which of `FORMATS` a file has, by its first bytes; refuse the others."""
    if not data:
        raise ImageError("This file is empty; choose another one.")
    kind = next((kind for kind, start in _SIGNATURES.items() if re.match(start, data[:4096], re.DOTALL)), None)
    if kind is None:
        raise ImageError(f"This is not an image that can be read here; use {_IN_WORDS}.")
    if kind not in FORMATS:
        raise ImageError(f"{kind} files cannot be read here; save the image as {_IN_WORDS}.")
    return kind


@contextmanager
def _plain_refusals(what: str) -> Iterator[None]:
    """Turn whatever a decoder raises into one sentence; hostile bytes can make decoders raise nearly anything."""
    try:
        yield
    except ImageError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageError(_TOO_LARGE) from error
    except Exception as error:
        raise ImageError(f"This {what} is damaged or incomplete; download or save it again.") from error


def _first_of_many(image: Image.Image, kind: str) -> tuple[str, ...]:
    """Say so if the file holds more than its first picture. In a JPEG the others are previews that nobody misses."""
    if kind == "JPEG" or not getattr(image, "is_animated", False):
        return ()
    what, part = ("has several pages", "page") if kind == "TIFF" else ("is animated", "frame")
    return (f"This {kind} {what}; only its first {part} is used.",)


def _as_safe(image: Image.Image, notes: tuple[str, ...] = ()) -> SafeImage:
    _check_header(image)
    image.load()
    rgb, notes_on_colour = _to_rgb(image)
    with suppress(Exception):  # no EXIF data, upright already, or broken EXIF data: no reason to refuse a good photo
        rgb = rgb.transpose(_UPRIGHT[image.getexif()[ExifTags.Base.Orientation]])
    rgb.info = {}  # or the next reader would apply the orientation again
    return SafeImage(rgb, notes + notes_on_colour)


def _check_header(image: Image.Image) -> None:
    """Refuse an image by what its header says, before anything is decoded."""
    width, height = image.size
    # libtiff makes room for whole tiles, and a tiny TIFF may claim (tags TileWidth, TileLength) tiles of gigabytes.
    tile_pixels = math.prod(float(getattr(image, "tag_v2", {}).get(tag, 0)) for tag in (322, 323))
    if max(width * height, tile_pixels) > MAX_PIXELS:
        raise ImageError(_TOO_LARGE)
    if min(width, height) < MIN_SIDE:
        raise ImageError(f"This image is {width} x {height} pixels; use one of at least {MIN_SIDE} x {MIN_SIDE}.")
    if max(width, height) > MAX_ASPECT * min(width, height):
        raise ImageError(f"This image is {width} x {height} pixels; crop it to at most {MAX_ASPECT}:1.")


def _to_rgb(image: Image.Image) -> tuple[Image.Image, tuple[str, ...]]:
    """Any of Pillow's pixel formats as 8-bit RGB, with notes if values had to be scaled."""
    if image.mode in ("I", "F"):
        return _from_32_bits(image)
    if image.mode.startswith("I;16"):
        return _from_16_bits(image), ()
    if not image.has_transparency_data:
        return image.convert("RGB"), ()
    rgba = (image.convert("LA") if image.mode == "La" else image).convert("RGBA")
    on_white = Image.new("RGB", image.size, "white")
    on_white.paste(rgba, mask=rgba)
    return on_white, ()


def _from_16_bits(image: Image.Image) -> Image.Image:
    """Spread 16-bit grey over 0 to 255, where Pillow's own conversion clips it."""
    numbers = np.asarray(image)
    grey = np.rint(np.arange(65536) / 257).astype(np.uint8)[numbers]
    grey[numbers == image.info.get("transparency")] = 255
    return Image.fromarray(grey).convert("RGB")


def _from_32_bits(image: Image.Image) -> tuple[Image.Image, tuple[str, ...]]:
    """Scale integers or floats, whose black and white no header tells; what is not a number becomes black."""
    numbers = np.array(image, dtype=np.float32)  # and in place below: of 64 megapixels each copy is a quarter gigabyte
    finite = np.isfinite(numbers)
    if not finite.any():
        raise ImageError("This image holds no finite number; save it with finite pixel values.")
    low = float(numbers.min(where=finite, initial=np.inf))
    high = float(numbers.max(where=finite, initial=-np.inf))
    # The usual scale (0 to 1, 8 bits, 16 bits) that holds all values; if none does, their own range.
    usual = ((0, white) for white in (1, 255, 65535) if low >= 0 and high <= white)
    black, white = next(usual, (low, high))
    np.nan_to_num(numbers, copy=False, nan=black)
    np.clip(numbers, black, white, out=numbers)
    span = white - black or 1
    numbers /= span  # before black is taken away: the difference of large numbers of both signs may not fit
    numbers -= black / span
    numbers *= 255
    note = f"Its values run from {low:g} to {high:g}; {black:g} is drawn black and {white:g} white."
    return Image.fromarray(np.rint(numbers, out=numbers).astype(np.uint8)).convert("RGB"), (note,)
