"""Vectors on screen: as a strip of colours, and as their first numbers."""

import html as markup
from collections.abc import Callable

import numpy as np
from PIL import Image

from ...viz.colour import paint, tone
from ...viz.inline import data_url


def strip(
    vector: np.ndarray, *, signed: bool = True, largest: float | None = None, per_row: int | None = None
) -> Image.Image:
    """Draw a vector, one pixel for each number.

    Args:
        vector: numbers, [n].
        signed: whether they may be negative: then red is positive, blue negative, and 0 the middle without a colour.
        largest: the size of a number that has the full colour, so that strips can be compared; that of the largest in
            `vector` if None.
        per_row: how many numbers a row has; all if None. What is left over in the last row is transparent.

    Returns:
        RGBA, `per_row` pixels wide.

    Raises:
        ValueError: if it is not a vector of finite numbers, or has negative ones where those have no colour.
    """
    vector = np.asarray(vector)
    if vector.ndim != 1 or not vector.size or not np.isfinite(vector).all():
        raise ValueError(f"A strip is drawn of a vector of finite numbers, not of an array {vector.shape} of others.")
    if not signed and (vector < 0).any():
        raise ValueError("A strip of numbers with signs would hide them: pass signed=True.")
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
    say: Callable[[float], str] | None = None,
) -> str:
    """A strip over the full width of a page for `st.html`, with its scale below it.

    Args:
        vector: numbers, [n].
        name: what they are, such as "query of patch 37".
        signed: as in `strip`.
        largest: as in `strip`.
        per_row: as in `strip`.
        height: of one row, in CSS.
        say: how the ends of the scale are written; `number` if None.
    """
    image = strip(vector, signed=signed, largest=largest, per_row=per_row)
    largest = float(np.abs(vector).max()) if largest is None else largest
    say = say or number
    low, high = say(-largest) if signed else "0", say(largest)
    colours = "blue negative, red positive" if signed else "dark is 0"
    words = markup.escape(f"{name}: {len(vector)} numbers", quote=True)
    scale = markup.escape(f"{low} to {high}, {colours}", quote=True)
    return (
        f'<figure style="margin:0"><img alt="{words}, {scale}" src="{data_url(image)}" '
        f'style="display:block;width:100%;'
        f'height:calc({image.height} * {height});image-rendering:pixelated;border-radius:3px">'
        f'<figcaption style="font-size:0.8rem;opacity:0.75">{words} · {scale}</figcaption></figure>'
    )


def number(value: float, decimals: int = 4) -> str:
    """A number as it stands on screen: `"−0.1234"`."""
    text = f"{value:.{decimals}f}"
    return text.removeprefix("-") if not float(text) else text.replace("-", "−")


def numbers(vector: np.ndarray, count: int = 6, decimals: int = 4) -> str:
    """The first numbers of a vector: `"[0.1234, −0.0210, … ]"`, all of them if there are no more."""
    shown = [number(float(value), decimals) for value in vector[:count]]
    return f"[{', '.join(shown)}{', … ' if len(vector) > count else ''}]"
