"""Limits on the size of an image, checked in its header before decoding."""

from ..errors import ImageError

MAX_PIXELS = 64_000_000
MAX_ASPECT = 20
MIN_SIDE = 8

TOO_LARGE = f"This image has more than {MAX_PIXELS // 1_000_000} megapixels; reduce its size and try again."


def check_sides(width: int, height: int) -> None:
    """Check the width and height of an image in pixels.

    Raises:
        ImageError: if it has too many pixels, or if a side is too short or much longer than the other.
    """
    if width * height > MAX_PIXELS:
        raise ImageError(TOO_LARGE)
    if min(width, height) < MIN_SIDE:
        raise ImageError(f"This image has {width} x {height} pixels; use one with at least {MIN_SIDE} x {MIN_SIDE}.")
    if max(width, height) > MAX_ASPECT * min(width, height):
        raise ImageError(f"This image has {width} x {height} pixels; crop it to {MAX_ASPECT}:1 at most.")
