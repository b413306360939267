"""Enlarged images of pixels, filters and matrices, with one square per number."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from ...viz.inline import data_url
from .strips import strip

SIDE = 240  # pixels of an enlarged patch

STYLE = """<style>
.vv-gallery { display: grid; grid-template-columns: repeat(auto-fill, minmax(var(--side), 1fr)); gap: 0.35rem;
  padding: 4px; }
.vv-filters { max-height: 26.2rem; overflow-y: auto; border-radius: 4px;
  border: 1px solid color-mix(in srgb, #8b8d98 35%, transparent); }
.vv-gallery figure { margin: 0; font-size: 0.75rem; text-align: center; font-variant-numeric: tabular-nums; }
.vv-gallery figcaption { opacity: 0.75; }
.vv-gallery img { display: block; width: 100%; image-rendering: pixelated; border-radius: 2px; }
.vv-product { display: grid; grid-template-columns: minmax(0, 9.5rem) auto minmax(0, 9.5rem) auto minmax(0, 9.5rem);
  gap: 0.3rem 0.8rem; justify-content: start; margin-bottom: 0.9rem; }
.vv-product figure { margin: 0; }
.vv-product > b { align-self: center; font-size: 1.3rem; }
.vv-product img { display: block; width: 100%; image-rendering: pixelated; border-radius: 3px; }
.vv-product figcaption { font-size: 0.75rem; opacity: 0.75; font-variant-numeric: tabular-nums; }
.vv-product .vv-sum { grid-column: 5; margin: 0; font-variant-numeric: tabular-nums; }
.st-key-part_sequence .katex-display { overflow: auto hidden; padding-block: 4px; } /* long numbers on a phone */
@media (max-width: 640px) { .vv-product { gap: 0.2rem 0.35rem; } .vv-product .vv-sum { font-size: 0.85rem; } }
</style>"""


def channel_names(channels: int) -> tuple[str, ...]:
    """Return the names of the channels of an image."""
    return ("red", "green", "blue") if channels == 3 else ("grey",)


def enlarged(image: Image.Image, width: int = SIDE) -> Image.Image:
    """Enlarge an image by a whole factor to about this width."""
    factor = max(1, round(width / image.width))
    return image.resize((image.width * factor, image.height * factor), Image.Resampling.NEAREST)


def framed(image: Image.Image, row: int, column: int, side: int) -> Image.Image:
    """Draw a black frame with white edges around one square of an enlarged image with `side` columns."""
    factor = image.width // side
    left, right = (max(4, column * factor), min(image.width - 4, (column + 1) * factor) - 1)
    top, bottom = (max(4, row * factor), min(image.height - 4, (row + 1) * factor) - 1)
    image = image.convert("RGB")
    pencil = ImageDraw.Draw(image)
    for colour, far in (
        ("white", 4),
        ("black", 3),
        ("black", 2),
        ("white", 1),
    ):  # outside the square, except at the edge of the image
        pencil.rectangle((left - far, top - far, right + far, bottom + far), outline=colour)
    return image


def gallery_html(
    pictures: np.ndarray, names: list[str], label: str, *, captions: list[str] | None = None, side: str
) -> str:
    """Return a responsive grid of images as HTML.

    Args:
        pictures: images, uint8 [n, P, P, 3].
        names: tooltip and alternative text of each image.
        label: accessible name of the grid.
        captions: caption of each image.
        side: minimum width of an image, in CSS.
    """
    figures = "".join(
        f'<figure><img alt="{name}" title="{name}" src="{data_url(Image.fromarray(picture))}">'
        f"{f'<figcaption>{captions[i]}</figcaption>' if captions else ''}</figure>"
        for i, (picture, name) in enumerate(zip(pictures, names, strict=True))
    )
    kind = "" if captions else " vv-filters"
    return (
        f'<div class="vv-gallery{kind}" role="group" tabindex="0" aria-label="{label}" style="--side:{side}">'
        f"{figures}</div>"
    )


def filter_picture(filters: np.ndarray) -> np.ndarray:
    """Convert filters to colours, uint8 [filter, P, P, 3]. 0 is grey; each filter is scaled by its largest value."""
    filters = filters if filters.shape[-1] == 3 else filters.mean(axis=-1, keepdims=True).repeat(3, axis=-1)
    largest = np.abs(filters).max(axis=(1, 2, 3), keepdims=True)
    return np.rint(127.5 * (1 + filters / np.maximum(largest, np.finfo(np.float32).tiny))).astype(np.uint8)


def signed_picture(numbers: np.ndarray, width: int = SIDE, largest: float | None = None) -> Image.Image:
    """Draw a signed matrix, [rows, columns]. Blue is negative, red positive, and 0 grey."""
    return enlarged(strip(numbers.ravel(), per_row=numbers.shape[1], largest=largest), width)


def position_mosaic(similarities: np.ndarray) -> Image.Image:
    """Draw the similarity maps of all position embeddings, [patch, rows, columns], each at its patch."""
    rows, columns = similarities.shape[1:]
    gap = 1
    whole = np.zeros((rows * (rows + gap), columns * (columns + gap)))  # a grey line between the maps
    for patch, similarity in enumerate(similarities):
        top, left = (patch // columns) * (rows + gap), (patch % columns) * (columns + gap)
        whole[top : top + rows, left : left + columns] = similarity
    return signed_picture(whole, 640, largest=1.0)
