"""Mapping of the pixels and patches of a model's input to the original image."""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from ..errors import ImageError
from ..errors.arguments import array, checked_index
from ..errors.brief import brief

Box = tuple[float, float, float, float]  # left, top, right, bottom
PixelBox = tuple[int, int, int, int]


@dataclass(frozen=True)
class Geometry:
    """Position of the input's pixels and patches on the original image. Boxes are (left, top, right, bottom)."""

    original: tuple[int, int]  # width and height of the original image after its EXIF orientation is applied, pixels
    model: tuple[int, int]  # width and height of the model's input, pixels
    patch: int  # patch size, pixels of the input
    source: Box  # box on the original image that `content` shows
    content: PixelBox  # box of the image on the input: the whole input, unless it is padded

    @property
    def grid(self) -> tuple[int, int]:
        """Number of rows and columns of patches."""
        return self.model[1] // self.patch, self.model[0] // self.patch

    @property
    def padded(self) -> bool:
        """True if some pixels of the input are padding."""
        return self.content != (0, 0, *self.model)

    @property
    def visible_fraction(self) -> float:
        """Fraction of the original's area inside of the input, from 0 to 1."""
        left, top, right, bottom = self.source
        width, height = self.original
        return (min(right, width) - max(left, 0)) * (min(bottom, height) - max(top, 0)) / (width * height)

    def patch_box(self, row: int, col: int) -> Box | None:
        """Return the box of a patch on the original image, without its padding; None if the patch is all padding.

        Rows count from 0 at the top and columns from 0 at the left; negative ones count from the other end.

        Raises:
            IndexError: if the row or column is out of range.
            ArgumentError: if the row or column is not a whole number.
        """
        across, down = self._span(col, axis=0), self._span(row, axis=1)
        return box(across, down) if across and down else None

    def is_padding(self, row: int, col: int) -> bool:
        """Return True if all pixels of a patch are padding; rows and columns as in `patch_box`."""
        return self.patch_box(row, col) is None

    def padding_mask(self) -> np.ndarray:
        """Return a mask of the patches that are all padding, bool [rows, cols]."""
        rows, cols = self.grid
        return np.array([[self.is_padding(row, col) for col in range(cols)] for row in range(rows)])

    def _span(self, index: int, axis: int) -> tuple[float, float] | None:
        """Start and end of a column (axis 0) or row (axis 1) of patches on the original; None if it is all padding."""
        count, name = self.model[axis] // self.patch, ("column", "row")[axis]
        index = checked_index(index, count, f"patch {name}")
        content_start, content_end = self.content[axis::2]
        source_start, source_end = self.source[axis::2]
        start = max(index * self.patch, content_start)
        end = min((index + 1) * self.patch, content_end)
        scale = (source_end - source_start) / (content_end - content_start)
        edges = (source_start + (edge - content_start) * scale for edge in (start, end))
        return tuple(min(edge, float(self.original[axis])) for edge in edges) if start < end else None


@brief
@dataclass(frozen=True, eq=False)
class Prepared:
    """Image at the size of a model's input, before normalisation."""

    pixels: np.ndarray  # uint8 [H, W, channel], read-only; a single channel is luminance
    geometry: Geometry  # mapping to the original image
    notes: tuple[str, ...] = ()  # notes of the SafeImage
    fingerprint: str = ""  # tells apart original images of one size; empty if unknown

    def picture(self) -> Image.Image:
        """Convert to a PIL image with hatched padding, so that the padding is not mistaken for a part of the image."""
        y, x, _ = np.indices((*self.pixels.shape[:2], 3))
        hatch = np.where((x + y) % 8 < 4, np.uint8(240), np.uint8(176))
        left, top, right, bottom = self.geometry.content
        hatch[top:bottom, left:right] = self.pixels[top:bottom, left:right]
        return Image.fromarray(hatch)


def as_picture(pixels: np.ndarray) -> Image.Image:
    """Convert pixels, uint8 [H, W, 3] or [H, W, 1], to an RGB image.

    Raises:
        ImageError: if the dtype or shape is different.
    """
    pixels = array(pixels, "H, W, channel", "Pixels", error=ImageError)
    if pixels.dtype != np.uint8 or pixels.shape[2] not in (1, 3):
        raise ImageError(f"Pixels must be uint8 [H, W, 3] or [H, W, 1], not {pixels.dtype} {list(pixels.shape)}.")
    return Image.fromarray(np.broadcast_to(pixels, (*pixels.shape[:2], 3)))


def box(across: tuple[float, float], down: tuple[float, float]) -> Box:
    """Combine two spans, (left, right) and (top, bottom), into a box."""
    return across[0], down[0], across[1], down[1]
