"""Images of a source, read and prepared in threads ahead of the model."""

from __future__ import annotations

import io
import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from hashlib import sha256

from PIL import Image

from ...errors import ImageError, VitvizError
from ...images import Prepared, Preprocessing, Size, prepare, read_image
from ...trace.ahead import map_ahead
from .sources.source import Item

THUMBNAIL_SIDE = 96  # pixels, of the longer side
RETRIES = (0.5, 2.0)  # seconds before a source is asked again


@dataclass(frozen=True)
class Input:
    """Input of a model: size in pixels, patch size, fit and preprocessing; see `vitviz.images.prepare`."""

    size: Size
    patch: int
    fit: str
    preprocessing: Preprocessing


@dataclass(frozen=True)
class Loaded:
    """Image that was read.

    Attributes:
        item: its place in the source.
        sha256: digest of its bytes, hexadecimal.
        bytes: number of its bytes.
        prepared: input of the model; its geometry knows the size of the upright image.
        thumbnail: WebP.
    """

    item: Item
    sha256: str
    bytes: int
    prepared: Prepared
    thumbnail: bytes


@dataclass(frozen=True)
class Failure:
    """Image that could not be read.

    Attributes:
        position: its position in the source.
        path: its path in the source.
        error: what is wrong, in one sentence.
        is_fatal: True if the source or the model failed, False if its bytes are no image.
    """

    position: int
    path: str
    error: str
    is_fatal: bool = False


def load(item: Item, wanted: Input) -> Loaded | Failure:
    """Read an image and prepare it."""
    failed = partial(Failure, item.position, item.path)
    try:
        data = _bytes(item)
    except ImageError as error:
        return failed(str(error))
    except Exception as error:  # file systems raise errors of their own libraries
        return failed(_reason(error), True)
    try:
        image = read_image(data)
        prepared = prepare(image, wanted.size, wanted.patch, wanted.fit, wanted.preprocessing)
    except VitvizError as error:
        return failed(str(error))
    return Loaded(item, sha256(data).hexdigest(), len(data), prepared, _thumbnail(image.rgb))


def _bytes(item: Item) -> bytes:
    """Read the bytes of an image. A source in the network may fail for a moment."""
    for seconds in RETRIES:
        try:
            return item.read()
        except (ImageError, FileNotFoundError, PermissionError, IsADirectoryError):
            raise
        except Exception:
            time.sleep(seconds)
    return item.read()


def _reason(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "There is no such file; check its name."
    if isinstance(error, PermissionError):
        return "This file may not be read; change its permissions."
    return f"The source did not give this file ({type(error).__name__}); scan it again."


def _thumbnail(rgb: Image.Image) -> bytes:
    small = rgb.copy() if max(rgb.size) <= 2 * THUMBNAIL_SIDE else rgb.reduce(max(rgb.size) // (2 * THUMBNAIL_SIDE))
    small.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE), Image.Resampling.BICUBIC)
    buffer = io.BytesIO()
    small.save(buffer, "WEBP", quality=80, method=2)
    return buffer.getvalue()


def load_ahead(items: Iterable[Item], wanted: Input, workers: int, ahead: int) -> Iterator[Loaded | Failure]:
    """Read images in threads, at most `ahead` of them before they are asked for, and yield them in order."""
    with closing(map_ahead(partial(load, wanted=wanted), items, workers, ahead)) as futures:
        for future in futures:
            image = future.result()
            del future  # it would keep the image while the caller works
            yield image
            del image
