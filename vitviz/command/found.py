"""What a command finds in one image, ready to be written."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from zlib import crc32

import numpy as np
from PIL import Image

from .. import provenance
from ..errors import ImageError
from ..export import safe_name
from ..images import SafeImage, Size, prepare, read_image
from ..inputs import default_size
from ..model import VisionTransformer
from ..picture import sharp_picture
from ..trace import Trace

LONGEST = 960  # pixels of the longer side of a picture


@dataclass(frozen=True, eq=False)
class Seen:
    """An image, and what a model made of it.

    Attributes:
        path: where it was read from.
        image: as it was given.
        trace: the forward pass.
        fit: how the image was made to fit.
    """

    path: Path
    image: SafeImage
    trace: Trace
    fit: str

    @property
    def stem(self) -> str:
        """The image's name as the beginning of a file name."""
        return safe_name(self.path.stem)

    @property
    def words(self) -> str:
        """Model, image and size, for the end of a caption."""
        width, height = base_facts(self)["input"]
        return f"{self.trace.model.name}, {self.path.name}, {width} x {height} px ({self.fit}), counted from 1. vitviz."

    @property
    def picture(self) -> Image.Image:
        """What the model sees, with the original's detail."""
        return sharp_picture(self.image, self.trace.image, LONGEST)


@dataclass(frozen=True, eq=False)
class Found:
    """What a command found in one image.

    Attributes:
        stem: file name without its ending.
        facts: what it is, in words and numbers that JSON can hold.
        caption: the same in a sentence.
        png: makes the picture.
        npz: makes the numbers.
    """

    stem: str
    facts: dict
    caption: str
    png: Callable[[], bytes] = field(repr=False)
    npz: Callable[[], bytes] = field(repr=False)


def see(model: VisionTransformer, path: Path, size: Size | None, fit: str | None, record: tuple[str, ...] = ()) -> Seen:
    """Read an image and run the model on it, recording what flows through these hook points.

    Raises:
        ImageError: if the image, the size or the fit cannot be used.
    """
    if os.path.exists(path) and not (os.path.isfile(path) or os.path.isdir(path)):  # these never raise
        raise ImageError(f"{str(path)!r} is not a regular file; choose an image file.")
    image = read_image(path)
    size = default_size(model.config, model.preprocessing) if size is None else size
    fit = fit or model.preprocessing.fit
    prepared = prepare(image, size, model.config.patch, fit, model.preprocessing)
    return Seen(path, image, model.trace(prepared, record=record), fit)


def base_facts(seen: Seen) -> dict:
    """What every picture and array says of where it comes from; indices count from 0."""
    rows, columns = seen.trace.grid
    return {
        "image": seen.path.name,
        "model": seen.trace.model.name,
        **provenance.of_model(seen.trace.model),
        "input": [columns * seen.trace.config.patch, rows * seen.trace.config.patch],
        "fit": seen.fit,
        "grid": [rows, columns],
        "prefix": list(seen.trace.config.prefix_names),
        "counted_from": 0,
    }


def short(text: str) -> str:
    """A text as a part of a file name: if it is long, its beginning and a checksum, so that no two are the same."""
    return safe_name(text) if len(text) <= 40 else f"{safe_name(text[:31])}-{crc32(text.encode()):08x}"


def as_npz(about: dict, **arrays: np.ndarray) -> bytes:
    """Arrays as a NumPy archive, and what they are as `metadata` (JSON text)."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, metadata=np.array(json.dumps(about)), **arrays)
    return buffer.getvalue()
