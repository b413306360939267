"""Matrix of the sequence. Each row is a token and highlights its patch."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from ...widgets import symbols
from .._shared import Component, Listener
from .payload import Drawn, drawn, payload, read_choice

__all__ = ["Drawn", "drawn", "sequence_matrix"]

component = Component("matrix", Path(__file__).parent, css=symbols.rules())  # rules for the symbols on the axes


def sequence_matrix(
    matrix: Drawn,
    prefix_names: tuple[str, ...],
    grid: tuple[int, int],
    picture: bytes,
    picture_name: str,
    chosen: int,
    *,
    on_choose: Callable[[int], None],
    key: str,
) -> None:
    """Draw the sequence next to the picture. Pointing at a row highlights its patch; a click chooses the row.

    The page stores the chosen row: the callback receives each choice, and the next run passes it back.

    Args:
        matrix: image of the sequence X.
        prefix_names: names of the prefix tokens, in order.
        grid: rows and columns of patches.
        picture: JPEG or PNG of exactly the area of the patches.
        picture_name: alternative text of the picture.
        chosen: index of the framed row, from 0, prefix tokens first.
        on_choose: function called with the row chosen by the user, before the page runs again.
        key: identity of the matrix in the session.

    Raises:
        ValueError: if the number of rows differs from the number of tokens, or the chosen row does not exist.
    """
    data = payload(matrix, prefix_names, grid, picture, picture_name, chosen)
    listener = Listener("a row", partial(read_choice, rows=matrix.rows), on_choose)
    component.draw(data, {"chosen": listener}, key=key)
