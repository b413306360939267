"""Conversion of any pixel format to 8-bit RGB, upright and on a white background."""

from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from PIL import Image

from ..errors import ImageError
from ..errors.brief import brief

_TURNS = ["FLIP_LEFT_RIGHT", "ROTATE_180", "FLIP_TOP_BOTTOM", "TRANSPOSE", "ROTATE_270", "TRANSVERSE", "ROTATE_90"]
# Inverse of each EXIF orientation.
_UPRIGHT = {orientation: Image.Transpose[turn] for orientation, turn in enumerate(_TURNS, start=2)}

_SAMPLED = 64  # pixels of each side in a fingerprint

Box = tuple[int, int, int, int]  # left, top, right, bottom


@brief
@dataclass(frozen=True)
class SafeImage:
    """Image that is safe to use: decoded, upright, 8-bit RGB, and within the size limits."""

    rgb: Image.Image  # mode "RGB"
    notes: tuple[str, ...] = ()  # sentences on conversions that users should know about


def image_fingerprint(image: SafeImage) -> str:
    """Return a text that tells an image apart from others of the same size, by at most 64 x 64 of its pixels."""
    width, height = image.rgb.size
    sample = image.rgb.resize((min(width, _SAMPLED), min(height, _SAMPLED)), Image.Resampling.NEAREST)
    return blake2b(sample.tobytes(), digest_size=8).hexdigest()


def upright(rgb: Image.Image, orientation: int) -> Image.Image:
    """Undo an EXIF orientation, 1 to 8; other numbers have no effect."""
    return rgb.transpose(_UPRIGHT[orientation]) if orientation in _UPRIGHT else rgb


def on_canvas(rgb: Image.Image, size: tuple[int, int], covered: Box) -> Image.Image:
    """Paste the first frame of an animation on a white canvas.

    Args:
        rgb: the frame alone, or an image of the whole canvas, of which only the part inside of `covered` is used.
        size: width and height of the canvas in pixels.
        covered: box of the frame on the canvas.
    """
    if covered == (0, 0, *size):
        return rgb
    canvas = Image.new("RGB", size, "white")
    canvas.paste(rgb.crop(covered) if rgb.size == size else rgb, covered[:2])
    return canvas


def to_rgb(image: Image.Image) -> tuple[Image.Image, tuple[str, ...]]:
    """Convert any of Pillow's pixel formats to 8-bit RGB; return it with notes if values had to be scaled."""
    if image.mode in ("I", "F"):
        numbers = np.array(image, dtype=np.float32)
        note = scale_to_255(numbers)
        return Image.fromarray(numbers.astype(np.uint8)).convert("RGB"), (note,)
    if image.mode.startswith("I;16"):
        return _from_16_bits(image), ()
    if not image.has_transparency_data:
        return image.convert("RGB"), ()
    rgba = image.convert("LA") if image.mode == "La" else image
    if rgba.mode != "RGBA":  # avoids a copy, which is 256 MB for 64 megapixels
        rgba = rgba.convert("RGBA")
    on_white = Image.new("RGB", image.size, "white")
    on_white.paste(rgba, mask=rgba)
    return on_white, ()


def full_range(bits: int) -> np.ndarray:
    """Return a lookup table that scales unsigned values of this bit depth to 0 to 255, uint8 [2 ** bits]."""
    white = 2**bits - 1
    return np.rint(np.arange(white + 1) * (255 / white)).astype(np.uint8)


def scale_to_255(numbers: np.ndarray, inverted: bool = False) -> str:
    """Scale pixel values without a known range to 0 to 255, in place; NaN becomes black.

    Args:
        numbers: pixel values, float32 of any shape; replaced by whole numbers from 0 to 255.
        inverted: True if the caller displays 0 as white; affects the note only.

    Returns:
        A note that states which values are black and white.

    Raises:
        ImageError: if no value is finite.
    """
    # In place, because each copy takes 256 MB for 64 megapixels.
    finite = np.isfinite(numbers)
    if not finite.any():
        raise ImageError("This image has no finite pixel value; save it with finite pixel values.")
    low = float(numbers.min(where=finite, initial=np.inf))
    high = float(numbers.max(where=finite, initial=-np.inf))
    del finite
    # The smallest usual range (0 to 1, 8 bits, 16 bits) that contains all values, otherwise the range of the values.
    usual = ((0, white) for white in (1, 255, 65535) if low >= 0 and high <= white)
    black, white = next(usual, (low, high))
    np.nan_to_num(numbers, copy=False, nan=black)
    np.clip(numbers, black, white, out=numbers)
    span = white - black or 1
    numbers /= span  # before the subtraction, because the difference of very large numbers can overflow
    numbers -= black / span
    numbers *= 255
    np.rint(numbers, out=numbers)
    if inverted:
        black, white = white, black
    return f"The pixel values range from {low:g} to {high:g}; {black:g} is shown as black and {white:g} as white."


def _from_16_bits(image: Image.Image) -> Image.Image:
    """Scale 16-bit greyscale to 0 to 255; Pillow's own conversion would clip it."""
    numbers = np.asarray(image)
    grey = full_range(16)[numbers]
    grey[numbers == image.info.get("transparency")] = 255
    return Image.fromarray(grey).convert("RGB")
