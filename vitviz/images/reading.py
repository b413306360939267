"""Reading of image files that may be damaged or hostile.

The first bytes of a file select the decoder; no other is tried. The size in the header is checked before decoding, and
every error of a decoder becomes an `ImageError`. Colour profiles are ignored, as in training.
"""

import math
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path

from PIL import Image, ImageFile

from ..errors import ImageError
from ..errors.arguments import shown, shown_path
from .exif import orientation
from .formats import avif, bmp, gif, heic, heif, jpeg, png, tiff, webp
from .limits import MAX_PIXELS, TOO_LARGE, check_sides
from .pixels import SafeImage, to_rgb, upright

__all__ = ["FORMATS", "SUFFIXES", "SafeImage", "read_image"]

_READERS = {
    "JPEG": jpeg.read,
    "PNG": png.read,
    "WebP": webp.read,
    "GIF": gif.read,
    "BMP": bmp.read,
    "TIFF": tiff.read,
    "HEIC": heic.read,
    "AVIF": avif.read,
}
FORMATS = tuple(_READERS)
SUFFIXES = (  # of file names, for the formats
    *(".avif", ".bmp", ".gif", ".heic", ".heif", ".jfif", ".jpe", ".jpeg", ".jpg"),
    *(".png", ".tif", ".tiff", ".webp"),
)

# First bytes of files: the supported formats, then others that an error message should name.
_SIGNATURES = {
    "JPEG": rb"\xff\xd8",
    "PNG": rb"\x89PNG",
    "WebP": rb"RIFF....WEBP",
    "GIF": rb"GIF8",
    "BMP": rb"BM",
    "TIFF": rb"II[*+]\0|MM\0[*+]",
    "SVG": rb"(?:\xef\xbb\xbf)?\s*<(?:svg|[?!].*<svg)",
    "JPEG 2000": rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51",
    "JPEG XL": rb"\0\0\0\x0cJXL |\xff\x0a",
    "Photoshop": rb"8BPS",
    "DICOM": rb".{128}DICM",
    "PDF": rb".{0,1024}%PDF-",
}

# At most two decoders run at once, because each can take half a gigabyte.
DECODERS = 2
_decoding = threading.Semaphore(DECODERS)


@contextmanager
def decoders(count: int) -> Iterator[None]:
    """Let this many decoders run at once in a `with` block, where the owner of the machine chose the images."""
    more = range(max(0, count - DECODERS))
    for _ in more:
        _decoding.release()
    try:
        yield
    finally:
        for _ in more:
            _decoding.acquire()


_FORMAT_LIST = ", ".join(FORMATS[:-1]) + " or " + FORMATS[-1]
_NO_MEMORY = "There is not enough memory to decode this image; reduce its size and try again."


def read_image(source: str | Path | bytes | Image.Image) -> SafeImage:
    """Read an image from a path, bytes or a PIL image, which may be damaged or hostile.

    The result looks the same as in a browser. The orientation is applied (from EXIF, or from the container of HEIC and
    AVIF; not from XMP). Transparent pixels, and the part of the canvas that a first frame does not cover, become white.
    Every pixel format is converted to 8-bit RGB: the full range of values of up to 16 bits is scaled to 0 to 255; for
    values of 32 bits or floating point, a note states the scale. Only the first or main frame, image or page is used;
    for a TIFF, the full image and not its preview.

    Args:
        source: path, bytes of a file, or PIL image (which is not changed).

    Returns:
        Image with its notes.

    Raises:
        ImageError: if the image cannot be read; the message says why and what to do.
    """
    if isinstance(source, Image.Image):
        with _errors_as_image_error("image"), _decoding:
            data = _unread_file(source)
            safe = _from_pillow(source) if data is None else _READERS[_format_of(data)](data)
    else:
        data = bytes(source) if isinstance(source, bytes | bytearray | memoryview) else _read_file(source)
        kind = _format_of(data)
        with _errors_as_image_error(f"{kind} file"), _decoding:
            safe = _READERS[kind](data)
    safe.rgb.info = {}  # otherwise the orientation could be applied again
    return safe


def _unread_file(image: Image.Image) -> bytes | None:
    """File content of an image that is not decoded yet, if its format is one that Pillow may decode incorrectly."""
    file = getattr(image, "fp", None)
    lazy = isinstance(image, ImageFile.ImageFile) and image.tile and file is not None and image.tell() == 0
    if not lazy or image.format not in ("PNG", "GIF", "TIFF"):
        return None
    at = file.tell()
    file.seek(0)
    data = file.read()
    file.seek(at)
    return data


def _read_file(path: str | Path) -> bytes:
    if not isinstance(path, str | PathLike):
        raise ImageError(f"An image cannot be read from {shown(path)}; give a path, bytes or a PIL image.")
    name = shown_path(path)
    try:
        if Path(path).is_dir():
            raise ImageError(f"{name} is a folder; choose an image file in it.")
        if not Path(path).is_file():
            raise ImageError(f"There is no file {name}; check its name.")
        return Path(path).read_bytes()
    except (OSError, ValueError) as error:
        raise ImageError(f"The file {name} cannot be read; check its name and permissions.") from error


def file_format(data: bytes) -> str | None:
    """Identify the format of a file by its first bytes: one of `FORMATS`, another known one, or None."""
    start = data[:4096]
    matching = (kind for kind, signature in _SIGNATURES.items() if re.match(signature, start, re.DOTALL))
    return heif.kind_of(start) or next(matching, None)


def _format_of(data: bytes) -> str:
    """Identify the format of a file, one of `FORMATS`; refuse other formats."""
    if not data:
        raise ImageError("This file is empty; choose another one.")
    kind = file_format(data)
    if kind is None:
        raise ImageError(f"This file is not an image of a supported format; use {_FORMAT_LIST}.")
    if kind not in FORMATS:
        raise ImageError(f"{kind} files are not supported; save the image as {_FORMAT_LIST}.")
    return kind


@contextmanager
def _errors_as_image_error(what: str) -> Iterator[None]:
    """Convert every error of a decoder to an `ImageError`; hostile files can cause nearly any exception."""
    try:
        yield
    except ImageError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageError(TOO_LARGE) from error
    except MemoryError as error:
        raise ImageError(_NO_MEMORY) from error
    except Exception as error:
        # Messages of Pillow and libheif for an intact file that needs too much memory or a missing decoder.
        text = str(error).lower()
        no_memory = any(part in text for part in ("out of memory", "memory allocation", "security limit"))
        if no_memory or error.args == (-9,):
            raise ImageError(_NO_MEMORY) from error
        if "unsupported" in text or "not supported" in text:
            message = f"This {what} is of an unsupported kind; save it as JPEG or PNG."
            raise ImageError(message) from error
        raise ImageError(f"This {what} is damaged or incomplete; download or save it again.") from error


def _from_pillow(image: Image.Image) -> SafeImage:
    """Check and convert a PIL image that the caller created or opened."""
    # libtiff allocates whole tiles, and a tiny TIFF can claim tiles of gigabytes (tags TileWidth, TileLength).
    if math.prod(float(getattr(image, "tag_v2", {}).get(tag, 0)) for tag in (322, 323)) > MAX_PIXELS:
        raise ImageError(TOO_LARGE)
    check_sides(*image.size)
    image.load()
    rgb, notes = to_rgb(image)
    return SafeImage(upright(rgb, orientation(image.info.get("exif") or b"")), notes)
