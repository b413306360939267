"""What the matrix in the browser gets, and what it may answer."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from ....viz.inline import data_url, png
from ...widgets.strips import number, strip
from ...widgets.symbols import SYMBOLS
from .._shared import whole_number

FULL_COLOUR = 0.995  # of all numbers are told apart by their colours; a few are so large that they would hide the rest


@dataclass(frozen=True)
class Drawn:
    """A matrix as a picture, one pixel for each number.

    Attributes:
        picture: PNG, blue negative, red positive, 0 without a colour.
        rows: how many rows it has, and
        columns: how many numbers a row has.
        largest: the size of a number that has the full colour.
        larger: how many numbers are larger than that in size, and have the full colour too.
    """

    picture: bytes
    rows: int
    columns: int
    largest: float
    larger: int


def drawn(matrix: np.ndarray) -> Drawn:
    """Draw a matrix of finite numbers, [row, column].

    Raises:
        ValueError: if it is not one.
    """
    if matrix.ndim != 2:
        raise ValueError(f"A matrix has rows and columns, not the shape {matrix.shape}.")
    sizes = np.abs(matrix)
    largest = float(np.quantile(sizes, FULL_COLOUR))
    image = strip(matrix.ravel(), largest=largest, per_row=matrix.shape[1])
    return Drawn(png(image.convert("RGB")), *matrix.shape, largest, int((sizes > largest).sum()))


def payload(
    matrix: Drawn, prefix_names: tuple[str, ...], grid: tuple[int, int], picture: bytes, picture_name: str, chosen: int
) -> dict:
    """Everything that the matrix shows; see `sequence_matrix` for the arguments. Equal arguments, equal payloads.

    Raises:
        ValueError: if the matrix has not one row for each prefix token and each patch, or not the chosen one.
    """
    patches = int(grid[0]) * int(grid[1])
    if matrix.rows != len(prefix_names) + patches:
        raise ValueError(
            f"A matrix of {matrix.rows} rows has not one for each of {patches} patches and {prefix_names}."
        )
    if not 0 <= chosen < matrix.rows:
        raise ValueError(f"There is no row {chosen} in a matrix of {matrix.rows}.")
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
        "larger": f"{matrix.larger:,} of {matrix.rows * matrix.columns:,} numbers are larger than that in size"
        if matrix.larger
        else "no number is larger than that in size",
    }


def read_choice(message: object, rows: int) -> int:
    """Which row a browser says was chosen.

    Raises:
        ValueError: if it is no row of this matrix. Anybody can send a message.
    """
    if not isinstance(message, dict) or set(message) != {"row", "rows"}:
        raise ValueError("not a choice of a row")
    if message["rows"] != rows:
        raise ValueError("a row of another matrix")
    row = whole_number(message["row"])
    if not 0 <= row < rows:
        raise ValueError(f"no such row in a matrix of {rows}")
    return row


def _axis(symbol: str, words: str) -> dict[str, str]:
    """What an axis counts: a symbol with its meaning, and words."""
    return {"symbol": symbol, "meaning": f"{symbol}: {SYMBOLS[symbol].meaning}", "words": words}


@cache
def _bar() -> bytes:
    """All colours, from the most negative to the most positive."""
    return png(strip(np.linspace(-1, 1, 256)).convert("RGB"))
