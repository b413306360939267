"""Display of vectors, as colour strips and as numbers."""

import html as markup
from collections.abc import Callable

import numpy as np
from PIL import Image

from ...viz.colour import paint, tone
from ...viz.inline import data_url


def strip(
    vector: np.ndarray, *, signed: bool = True, largest: float | None = None, per_row: int | None = None
) -> Image.Image:
    """Draw a vector, with one pixel per number.

    Args:
        vector: numbers, [n].
        signed: whether numbers may be negative; red is then positive, blue negative, and 0 neutral.
        largest: absolute value with full colour, for a common scale of several strips; the largest of `vector` if
            None.
        per_row: numbers per row; all if None. The rest of the last row is transparent.

    Returns:
        RGBA image, `per_row` pixels wide.

    Raises:
        ValueError: if `vector` is not a vector of finite numbers, or has negative numbers although `signed` is False.
    """
    vector = np.asarray(vector)
    if vector.ndim != 1 or not vector.size or not np.isfinite(vector).all():
        raise ValueError(f"A strip requires a vector of finite numbers; the shape is {vector.shape}.")
    if not signed and (vector < 0).any():
        raise ValueError("A strip with negative numbers requires signed=True.")
    width = per_row or len(vector)
    rows = -(-len(vector) // width)
    pixels = np.zeros((rows * width, 4), np.uint8)
    pixels[: len(vector), :3] = paint(tone(vector, "relative", 1, largest, signed), "relative", signed)
    pixels[: len(vector), 3] = 255
    return Image.fromarray(pixels.reshape(rows, width, 4))


def strip_html(
    vector: np.ndarray,
    name: str,
    *,
    signed: bool = True,
    largest: float | None = None,
    per_row: int | None = None,
    height: str = "1.6rem",
    format: Callable[[float], str] | None = None,
) -> str:
    """Return a strip over the full width of a page, with its scale below, as HTML for `st.html`.

    Args:
        vector: numbers, [n].
        name: description, such as "query of patch 37".
        signed: as in `strip`.
        largest: as in `strip`.
        per_row: as in `strip`.
        height: height of one row, in CSS.
        format: formatter of the ends of the scale; `number` if None.
    """
    image = strip(vector, signed=signed, largest=largest, per_row=per_row)
    largest = float(np.abs(vector).max()) if largest is None else largest
    format = format or number
    low, high = format(-largest) if signed else "0", format(largest)
    colours = "blue negative, red positive" if signed else "dark is 0"
    label = markup.escape(f"{name}: {len(vector)} numbers", quote=True)
    scale = markup.escape(f"{low} to {high}, {colours}", quote=True)
    return (
        f'<figure style="margin:0"><img alt="{label}, {scale}" src="{data_url(image)}" '
        f'style="display:block;width:100%;'
        f'height:calc({image.height} * {height});image-rendering:pixelated;border-radius:3px">'
        f'<figcaption style="font-size:0.8rem;opacity:0.75">{label} · {scale}</figcaption></figure>'
    )


def number(value: float, decimals: int = 4) -> str:
    """Format a number for display: `"−0.1234"`."""
    text = f"{value:.{decimals}f}"
    return text.removeprefix("-") if not float(text) else text.replace("-", "−")


def numbers(vector: np.ndarray, count: int = 6, decimals: int = 4) -> str:
    """Format the first numbers of a vector: `"[0.1234, −0.0210, … ]"`."""
    shown = [number(float(value), decimals) for value in vector[:count]]
    return f"[{', '.join(shown)}{', … ' if len(vector) > count else ''}]"
