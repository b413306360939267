"""Result of a command for one image, ready to be written to files."""

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
from ..images import Prepared, SafeImage, Size, prepare, read_image
from ..trace.inputs import default_size
from ..trace.trace import Trace
from ..trace.vision_transformer import VisionTransformer
from ..viz import export, provenance
from ..viz.picture import sharp_picture

DEFAULT_SIDE = 960  # pixels of the longer side of an output image
MAX_HEIGHT = 12_000  # pixels of an output image with a given width, within the limits of JPEG and WebP with caption
MIN_WIDTH, MAX_WIDTH = export.MIN_WIDTH, 4096  # range of --width in pixels; bounds the memory


@dataclass(frozen=True, eq=False)
class TracedImage:
    """Image with its trace.

    Attributes:
        path: path of the image file.
        image: original image.
        trace: trace of the forward pass.
        fit: fit mode.
        width: width of output images in pixels; None for a longer side of 960.
        origin: identity of the image file, see `origin.of_image`.
    """

    path: Path
    image: SafeImage
    trace: Trace
    fit: str
    width: int | None = None
    origin: Mapping[str, str] = field(default_factory=dict)

    @property
    def description(self) -> str:
        """Model, image and input size, for the end of a caption."""
        width, height = base_facts(self)["input"]
        return f"{self.trace.model.name}, {self.path.name}, {width} x {height} px ({self.fit}), counted from 1. vitviz."

    @property
    def picture(self) -> Image.Image:
        """The part of the image that the model receives, at the original resolution.

        Raises:
            ImageError: if the result would be too tall.
        """
        rows, columns = self.trace.grid
        longest = DEFAULT_SIDE if self.width is None else round(self.width * max(rows, columns) / columns)
        if longest > MAX_HEIGHT:
            raise ImageError(
                f"An image of {self.width} x {longest} pixels is higher than {MAX_HEIGHT}; use a smaller --width."
            )
        return sharp_picture(self.image, self.trace.image, longest)


@dataclass(frozen=True, eq=False)
class Result:
    """Result of a command for one image.

    Attributes:
        facts: settings and results, JSON-serialisable; layers, heads, rows and columns count from 1.
        caption: summary in a sentence.
        values: numbers and text by name, for sorting and filtering in a report.
        about: metadata for image files, JSON-serialisable.
        text: caption of image files.
        colours: colour bar of image files, uint8 [n, 3]; None for no bar.
        draw: function that draws the overlay.
        npz: function that encodes the NumPy archive.
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
        """Overlay without caption."""
        return self.draw()

    def file(self, kind: str, min_width: int = export.DEFAULT_WIDTH) -> bytes:
        """Encode a file: a NumPy archive (npz), or a captioned overlay of at least the given width in pixels."""
        if kind == "npz":
            return self.npz()
        return export.captioned(self.picture, self.text, self.about, self.colours, kind, min_width)


def trace_image(
    model: VisionTransformer,
    path: Path,
    size: Size | None,
    fit: str | None,
    record: tuple[str, ...] = (),
    width: int | None = None,
) -> TracedImage:
    """Read an image and run the model on it.

    Args:
        model: a model.
        path: path of the image file.
        size: input size in pixels; None for the model's default.
        fit: fit mode; None for the model's default.
        record: hook points to record.
        width: width of output images in pixels; None for a longer side of 960.

    Raises:
        ImageError: if the image, the size or the fit cannot be used.
    """
    image = read_image_file(path)
    fit = fit or model.preprocessing.fit
    return TracedImage(path, image, model.trace(prepare_for(model, image, size, fit), record=record), fit, width)


def read_image_file(path: Path) -> SafeImage:
    """Read an image. Raises an `ImageError` if it is not a regular file, or cannot be read."""
    if os.path.exists(path) and not (os.path.isfile(path) or os.path.isdir(path)):  # unlike pathlib, these never raise
        raise ImageError(f"{str(path)!r} is not a regular file; choose an image file.")
    return read_image(path)


def prepare_for(model: VisionTransformer, image: SafeImage, size: Size | None, fit: str | None) -> Prepared:
    """Prepare an image for a model; size and fit are the model's if they are None."""
    size = default_size(model.config, model.preprocessing) if size is None else size
    return prepare(image, size, model.config.patch_size, fit or model.preprocessing.fit, model.preprocessing)


def base_facts(traced: TracedImage) -> dict:
    """Return the facts on image and model common to all commands; layers, heads, rows and columns count from 1."""
    rows, columns = traced.trace.grid
    return {
        "image": traced.path.name,
        **traced.origin,
        "model": traced.trace.model.name,
        **provenance.of_model(traced.trace.model),
        "input": [columns * traced.trace.config.patch_size, rows * traced.trace.config.patch_size],
        "fit": traced.fit,
        "grid": [rows, columns],
        "prefix": list(traced.trace.config.prefix_token_names),
        "counted_from": 1,
    }


def prediction_facts(trace: Trace) -> dict:
    """Return the top-1 class and its probability, for JSON; an empty dictionary if the model is no classifier."""
    if not trace.model.is_classifier:
        return {}
    try:
        (best,) = predictions(trace, 1)
    except ModelError:  # logits are not finite; attention may still be valid
        return {"prediction": None, "confidence": None}
    return {"prediction": best.label, "confidence": best.probability}


def prediction_values(facts: dict) -> dict[str, str | float]:
    """Convert the result of `prediction_facts` to the values of a report."""
    if facts.get("prediction") is None:
        return {}
    return {"Prediction": facts["prediction"], "Confidence (%)": 100 * facts["confidence"]}


def as_npz(about: dict, **arrays: np.ndarray) -> bytes:
    """Encode arrays as a NumPy archive, with the metadata as JSON text in `metadata`."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, metadata=np.array(json.dumps(about)), **arrays)
    return buffer.getvalue()
