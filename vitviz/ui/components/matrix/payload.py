"""Payload of the matrix, and validation of its messages."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from ....viz.inline import data_url, png
from ...widgets.strips import number, strip
from ...widgets.symbols import SYMBOLS
from .._shared import whole_number

FULL_COLOUR = (
    0.995  # quantile with full colour; a few outliers would otherwise hide the differences of all other numbers
)


@dataclass(frozen=True)
class Drawn:
    """Image of a matrix, with one pixel per number.

    Attributes:
        picture: PNG; blue is negative, red positive, and 0 neutral.
        rows: number of rows.
        columns: number of columns.
        largest: absolute value with full colour.
        larger: number of values above `largest` in absolute value, which also have full colour.
    """

    picture: bytes
    rows: int
    columns: int
    largest: float
    larger: int


def drawn(matrix: np.ndarray) -> Drawn:
    """Draw a matrix of finite numbers, [row, column].

    Raises:
        ValueError: if the array does not have two dimensions or is not finite.
    """
    if matrix.ndim != 2:
        raise ValueError(f"A matrix must have two dimensions, not the shape {matrix.shape}.")
    sizes = np.abs(matrix)
    largest = float(np.quantile(sizes, FULL_COLOUR))
    image = strip(matrix.ravel(), largest=largest, per_row=matrix.shape[1])
    return Drawn(png(image.convert("RGB")), *matrix.shape, largest, int((sizes > largest).sum()))


def payload(
    matrix: Drawn, prefix_names: tuple[str, ...], grid: tuple[int, int], picture: bytes, picture_name: str, chosen: int
) -> dict:
    """Return the state of the component; see `sequence_matrix` for the arguments. Equal arguments, equal payloads.

    Raises:
        ValueError: if the number of rows differs from the number of tokens, or the chosen row does not exist.
    """
    patches = int(grid[0]) * int(grid[1])
    if matrix.rows != len(prefix_names) + patches:
        raise ValueError(
            f"A matrix of {matrix.rows} rows does not match {patches} patches and the prefix tokens {prefix_names}."
        )
    if not 0 <= chosen < matrix.rows:
        raise ValueError(f"Row {chosen} is outside a matrix of {matrix.rows} rows.")
    before = f" + {len(prefix_names)}" if prefix_names else ""
    return {
        "matrix": data_url(matrix.picture),
        "rows": matrix.rows,
        "columns": matrix.columns,
        "prefix": list(prefix_names),
        "grid": [int(count) for count in grid],
        "picture": data_url(picture),
        "picture_name": picture_name,
        "chosen": int(chosen),
        "across": _axis("D", f" = {matrix.columns} numbers"),
        "down": _axis("N", f"{before} = {matrix.rows} tokens"),
        "bar": data_url(_bar()),
        "low": number(-matrix.largest),
        "high": number(matrix.largest),
        "larger": f"{matrix.larger:,} of {matrix.rows * matrix.columns:,} numbers are beyond this scale"
        if matrix.larger
        else "",
    }


def read_choice(message: object, rows: int) -> int:
    """Parse a row sent by a browser.

    Raises:
        ValueError: if the message is invalid or belongs to another matrix.
    """
    if not isinstance(message, dict) or set(message) != {"row", "rows"}:
        raise ValueError("not a choice of a row")
    if message["rows"] != rows:
        raise ValueError("a row of another matrix")
    row = whole_number(message["row"])
    if not 0 <= row < rows:
        raise ValueError(f"no such row in a matrix of {rows}")
    return row


def _axis(symbol: str, text: str) -> dict[str, str]:
    """Return the label of an axis: a symbol with its meaning, followed by a text."""
    return {"symbol": symbol, "meaning": f"{symbol}: {SYMBOLS[symbol].meaning}", "text": text}


@cache
def _bar() -> bytes:
    """Return the colour bar as PNG, from the most negative to the most positive colour."""
    return png(strip(np.linspace(-1, 1, 256)).convert("RGB"))
