"""Small pictures of pixels, filters and matrices, enlarged so that each number is a square."""

from __future__ import annotations

import numpy as np
from PIL import Image

from ..strips import strip

SIDE = 240  # pixels of an enlarged patch


def enlarged(image: Image.Image, width: int = SIDE) -> Image.Image:
    """An image at about this width, every pixel a square of the same size."""
    factor = max(1, round(width / image.width))
    return image.resize((image.width * factor, image.height * factor), Image.Resampling.NEAREST)


def channel_picture(pixels: np.ndarray, channel: int) -> Image.Image:
    """One colour channel of a patch, uint8 [P, P, C], in its own colour; grey if there are not three."""
    alone = np.zeros_like(pixels) if pixels.shape[-1] == 3 else pixels[..., [channel]].repeat(3, axis=-1)
    if pixels.shape[-1] == 3:
        alone[..., channel] = pixels[..., channel]
    return enlarged(Image.fromarray(alone), SIDE // 2)


def filter_picture(filters: np.ndarray) -> np.ndarray:
    """Filters as colours, uint8 [filter, P, P, 3]: 0 is grey, each filter's largest number black or full colour."""
    filters = filters if filters.shape[-1] == 3 else filters.mean(axis=-1, keepdims=True).repeat(3, axis=-1)
    largest = np.abs(filters).max(axis=(1, 2, 3), keepdims=True)
    return np.rint(127.5 * (1 + filters / np.maximum(largest, np.finfo(np.float32).tiny))).astype(np.uint8)


def sheet(pictures: np.ndarray, per_row: int, side: int) -> Image.Image:
    """Pictures, uint8 [n, P, P, 3], side by side on white, each enlarged to about `side` pixels."""
    factor = max(1, round(side / pictures.shape[1]))
    pictures = pictures.repeat(factor, axis=1).repeat(factor, axis=2)
    size, gap = pictures.shape[1], 2
    rows = -(-len(pictures) // per_row)
    canvas = np.full((rows * (size + gap), per_row * (size + gap), 3), 255, np.uint8)
    for i, picture in enumerate(pictures):
        top, left = (i // per_row) * (size + gap), (i % per_row) * (size + gap)
        canvas[top : top + size, left : left + size] = picture
    return Image.fromarray(canvas)


def signed_picture(numbers: np.ndarray, width: int = SIDE, largest: float | None = None) -> Image.Image:
    """A matrix of numbers with signs, [rows, columns]: blue is negative, red positive, grey 0."""
    return enlarged(strip(numbers.ravel(), per_row=numbers.shape[1], largest=largest), width)


def position_mosaic(similarities: np.ndarray) -> Image.Image:
    """All maps of similar positions, [patch, rows, columns], each at the place of its own patch."""
    rows, columns = similarities.shape[1:]
    gap = 1
    whole = np.zeros((rows * (rows + gap), columns * (columns + gap)))  # a grey line between the maps
    for patch, similarity in enumerate(similarities):
        top, left = (patch // columns) * (rows + gap), (patch % columns) * (columns + gap)
        whole[top : top + rows, left : left + columns] = similarity
    return signed_picture(whole, 640, largest=1.0)
