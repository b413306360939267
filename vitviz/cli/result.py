"""What a command finds in one image, ready to be written."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from PIL import Image

from ..analysis.predictions import predictions
from ..errors import ImageError, ModelError
from ..images import SafeImage, Size, prepare, read_image
from ..trace.inputs import default_size
from ..trace.trace import Trace
from ..trace.vision_transformer import VisionTransformer
from ..viz import export, provenance
from ..viz.picture import sharp_picture

LONGEST = 960  # pixels of the longer side of a picture
TALLEST = 12_000  # and of a picture whose width is given: more is more than JPEG and WebP hold, captions included
NARROWEST, WIDEST = export.NARROWEST, 4096  # pixels that can be asked for; memory is bounded


@dataclass(frozen=True, eq=False)
class Seen:
    """An image, and what a model made of it.

    Attributes:
        path: where it was read from.
        image: as it was given.
        trace: the forward pass.
        fit: how the image was made to fit.
        width: of the picture of it, in pixels; if None, its longer side is 960.
        origin: by which the image is known again, see `origin.of_image`.
    """

    path: Path
    image: SafeImage
    trace: Trace
    fit: str
    width: int | None = None
    origin: Mapping[str, str] = field(default_factory=dict)

    @property
    def words(self) -> str:
        """Model, image and size, for the end of a caption."""
        width, height = base_facts(self)["input"]
        return f"{self.trace.model.name}, {self.path.name}, {width} x {height} px ({self.fit}), counted from 1. vitviz."

    @property
    def picture(self) -> Image.Image:
        """The model's view of the image, with the original's detail.

        Raises:
            ImageError: if it would be too tall.
        """
        rows, columns = self.trace.grid
        longest = LONGEST if self.width is None else round(self.width * max(rows, columns) / columns)
        if longest > TALLEST:
            raise ImageError(
                f"A picture {self.width} pixels wide would be {longest} high, more than {TALLEST}; choose a smaller "
                "--width."
            )
        return sharp_picture(self.image, self.trace.image, longest)


@dataclass(frozen=True, eq=False)
class Found:
    """What a command found in one image.

    Attributes:
        facts: what it is, in words and numbers that JSON can hold; layers, heads, rows and columns count from 1.
        caption: the same in a sentence.
        values: what a report can be sorted by: numbers or words by their names.
        about: what is written into pictures as JSON.
        text: what is burnt into pictures.
        colours: of the colour bar in pictures, uint8 [n, 3]; None for none.
        draw: draws the map over the image.
        npz: makes the numbers.
    """

    facts: dict
    caption: str
    values: dict[str, str | float]
    about: dict
    text: str
    colours: np.ndarray | None
    draw: Callable[[], Image.Image] = field(repr=False)
    npz: Callable[[], bytes] = field(repr=False)

    @cached_property
    def picture(self) -> Image.Image:
        """The map over the image, without a caption."""
        return self.draw()

    def file(self, kind: str, least: int = export.LEAST) -> bytes:
        """A file of a kind: numbers (npz), or a picture with its caption, at least so many pixels wide."""
        if kind == "npz":
            return self.npz()
        return export.captioned(self.picture, self.text, self.about, self.colours, kind, least)


def see(
    model: VisionTransformer,
    path: Path,
    size: Size | None,
    fit: str | None,
    record: tuple[str, ...] = (),
    width: int | None = None,
) -> Seen:
    """Read an image and run the model on it, recording what flows through these hook points.

    Raises:
        ImageError: if the image, the size or the fit cannot be used.
    """
    if os.path.exists(path) and not (os.path.isfile(path) or os.path.isdir(path)):  # these never raise
        raise ImageError(f"{str(path)!r} is not a regular file; choose an image file.")
    image = read_image(path)
    size = default_size(model.config, model.preprocessing) if size is None else size
    fit = fit or model.preprocessing.fit
    prepared = prepare(image, size, model.config.patch_size, fit, model.preprocessing)
    return Seen(path, image, model.trace(prepared, record=record), fit, width)


def base_facts(seen: Seen) -> dict:
    """Facts that every picture and array states about its origin; layers, heads, rows and columns count from 1."""
    rows, columns = seen.trace.grid
    return {
        "image": seen.path.name,
        **seen.origin,
        "model": seen.trace.model.name,
        **provenance.of_model(seen.trace.model),
        "input": [columns * seen.trace.config.patch_size, rows * seen.trace.config.patch_size],
        "fit": seen.fit,
        "grid": [rows, columns],
        "prefix": list(seen.trace.config.prefix_token_names),
        "counted_from": 1,
    }


def predicted(trace: Trace) -> dict:
    """The likeliest class and how likely it is, for JSON; nothing where the model tells no classes."""
    if not trace.model.is_classifier:
        return {}
    try:
        (best,) = predictions(trace, 1)
    except ModelError:  # logits that are not finite: there is no prediction, but there may be attention to look at
        return {"prediction": None, "confidence": None}
    return {"prediction": best.label, "confidence": best.probability}


def prediction_values(said: dict) -> dict[str, str | float]:
    """The same, as `predicted` has it, by the names in a report."""
    known = said.get("prediction") is not None
    return {"Prediction": said["prediction"], "Confidence (%)": 100 * said["confidence"]} if known else {}


def as_npz(about: dict, **arrays: np.ndarray) -> bytes:
    """Arrays as a NumPy archive, and what they are as `metadata` (JSON text)."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, metadata=np.array(json.dumps(about)), **arrays)
    return buffer.getvalue()
