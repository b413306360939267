"""Convert any pixel format to 8-bit RGB, upright and on a white background."""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from ..errors import ImageError
from ..errors.brief import brief

_TURNS = ["FLIP_LEFT_RIGHT", "ROTATE_180", "FLIP_TOP_BOTTOM", "TRANSPOSE", "ROTATE_270", "TRANSVERSE", "ROTATE_90"]
_UPRIGHT = {orientation: Image.Transpose[turn] for orientation, turn in enumerate(_TURNS, start=2)}  # undoes EXIF's

Box = tuple[int, int, int, int]  # left, top, right, bottom


@brief
@dataclass(frozen=True)
class SafeImage:
    """An image that is safe to use: decoded, upright, 8-bit RGB, and within the limits on size."""

    rgb: Image.Image  # mode "RGB"
    notes: tuple[str, ...] = ()  # plain sentences on what was done that a person may want to know


def upright(rgb: Image.Image, orientation: int) -> Image.Image:
    """Undo an orientation, numbered from 1 to 8 as in EXIF; any other number changes nothing."""
    return rgb.transpose(_UPRIGHT[orientation]) if orientation in _UPRIGHT else rgb


def on_canvas(rgb: Image.Image, size: tuple[int, int], covered: Box) -> Image.Image:
    """Place the first frame of an animation on its canvas, which is white where the frame does not cover it.

    Args:
        rgb: the frame alone, or a picture of the whole canvas, of which only the part inside of `covered` is used.
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
    if rgba.mode != "RGBA":  # converting would copy it, and of 64 megapixels that is a quarter gigabyte
        rgba = rgba.convert("RGBA")
    on_white = Image.new("RGB", image.size, "white")
    on_white.paste(rgba, mask=rgba)
    return on_white, ()


def full_range(bits: int) -> np.ndarray:
    """Return the table that maps unsigned values of so many bits linearly to 0 to 255, uint8 [2 ** bits]."""
    white = 2**bits - 1
    return np.rint(np.arange(white + 1) * (255 / white)).astype(np.uint8)


def scale_to_255(numbers: np.ndarray, inverted: bool = False) -> str:
    """Scale numbers in place whose black and white are not given in the file; NaN becomes black.

    Args:
        numbers: float32 of any shape, changed to whole numbers from 0 (the smallest) to 255.
        inverted: whether the caller draws 0 as white; used for the note only.

    Returns:
        A note that says which values are black and white.

    Raises:
        ImageError: if none of them is finite.
    """
    # Everything in place: of 64 megapixels each copy is a quarter gigabyte.
    finite = np.isfinite(numbers)
    if not finite.any():
        raise ImageError("This image holds no finite number; save it with finite pixel values.")
    low = float(numbers.min(where=finite, initial=np.inf))
    high = float(numbers.max(where=finite, initial=-np.inf))
    del finite
    # The usual scale (0 to 1, 8 bits, 16 bits) that holds all values; if none does, their own range.
    usual = ((0, white) for white in (1, 255, 65535) if low >= 0 and high <= white)
    black, white = next(usual, (low, high))
    np.nan_to_num(numbers, copy=False, nan=black)
    np.clip(numbers, black, white, out=numbers)
    span = white - black or 1
    numbers /= span  # before black is taken away: the difference of large numbers of both signs may not fit
    numbers -= black / span
    numbers *= 255
    np.rint(numbers, out=numbers)
    if inverted:
        black, white = white, black
    return f"Its values run from {low:g} to {high:g}; {black:g} is drawn black and {white:g} white."


def _from_16_bits(image: Image.Image) -> Image.Image:
    """Scale 16-bit grey to 0 to 255; Pillow's own conversion would clip it."""
    numbers = np.asarray(image)
    grey = full_range(16)[numbers]
    grey[numbers == image.info.get("transparency")] = 255
    return Image.fromarray(grey).convert("RGB")
