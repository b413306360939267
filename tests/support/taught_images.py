"""Images of two kinds, as a user may give them for classes."""

import io

import numpy as np
from PIL import Image


def image(kind: int, number: int, side: int = 40) -> bytes:
    """Return a PNG: a bright bar on dark noise, upright for an even kind, lying for an odd one; it varies by number."""
    random = np.random.default_rng([kind, number])
    pixels = random.integers(0, 90, (side, side, 3), dtype=np.uint8)
    at = int(random.integers(side // 5, side - side // 5))
    bar = slice(at - side // 10, at + side // 10)
    pixels[(slice(None), bar) if kind % 2 == 0 else bar] = 230 - 10 * kind
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def images(kind: int, count: int) -> list[bytes]:
    """Return several images of a kind."""
    return [image(kind, number) for number in range(count)]
