"""The sequence as a matrix: each row is a token, and lights up the patch that it came from."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from ...widgets import symbols
from .._shared import Component, Listener
from .payload import Drawn, drawn, payload, read_choice

__all__ = ["Drawn", "drawn", "sequence_matrix"]

component = Component("matrix", Path(__file__).parent, css=symbols.rules())  # the rules are for letters on the axes


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
    """Draw the sequence, with the picture beside it. Pointing at a row lights up its patch; a click chooses the row.

    Which row is chosen is the page's to keep: the callback hears of a choice, and the next run passes it back.

    Args:
        matrix: the sequence X, drawn.
        prefix_names: what the tokens before the patches are called, in order.
        grid: rows and columns of patches.
        picture: JPEG or PNG, exactly what the patches cover.
        picture_name: what it shows, for those who cannot see it.
        chosen: the row with the frame, from 0, prefix tokens first.
        on_choose: called with a row, before the page runs again, when the visitor chooses it.
        key: identity of this matrix in the session.

    Raises:
        ValueError: if the matrix has not one row for each prefix token and each patch, or not the chosen one.
    """
    data = payload(matrix, prefix_names, grid, picture, picture_name, chosen)
    listener = Listener("a row", partial(read_choice, rows=matrix.rows), on_choose)
    component.draw(data, {"chosen": listener}, key=key)
