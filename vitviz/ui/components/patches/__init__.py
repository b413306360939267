"""The patch picker: the picture as patches, one of which is looked at closely and chosen."""

from collections.abc import Callable, Mapping
from pathlib import Path

from .._shared import Component, Listener
from .payload import Overlay, Patch, Role, payload, read_choice

__all__ = ["Overlay", "Patch", "Role", "choices", "patch_picker"]

component = Component("patches", Path(__file__).parent)


def patch_picker(
    picture: bytes,
    picture_name: str,
    grid: tuple[int, int],
    chosen: Patch | None,
    *,
    on_choose: Callable[[int, int], None],
    second: Patch | None = None,
    choosing: Role = "query",
    on_key: Callable[[int, int], None] | None = None,
    overlay: Overlay | None = None,
    exploded: bool = False,
    switching: bool = False,
    key: str,
) -> None:
    """Draw the picture that the model sees with its patches. Pointing looks closer; a click chooses.

    Which patches are chosen is the page's to keep: a callback hears of each choice, and the next run passes it back.

    Args:
        picture: JPEG or PNG, exactly what the patches cover; a PNG of the model's own pixels shows those in the lens.
        picture_name: what it shows, for those who cannot see it.
        grid: rows and columns of patches.
        chosen: (row, column) from 0 of the patch with the blue frame: the query; None if there is none.
        on_choose: called with row and column, before the page runs again, when the visitor chooses that patch.
        second: the patch with the red frame: the key.
        choosing: which of the two a click sets.
        on_key: like `on_choose`, for the key; needed for `choosing="key"`.
        overlay: a map to lay over the picture.
        exploded: whether the patches are pulled apart. The visitor's own switch for it holds until this changes.
        switching: whether every click is told and frames nothing, the second on a patch like the first; the page shows
            in the picture what clicks have done.
        key: identity of this picker in the session.

    Raises:
        ValueError: if a patch is not in the grid, the overlay has another shape, or nobody listens for keys.
    """
    if choosing == "key" and on_key is None:
        raise ValueError("A picker that chooses keys needs on_key.")
    data = payload(picture, picture_name, grid, chosen, second, choosing, overlay, exploded, switching)
    listeners = {"query": on_choose} | ({"key": on_key} if on_key else {})
    component.draw(data, choices(grid, listeners), key=key)


def choices(grid: tuple[int, int], listeners: Mapping[Role, Callable[[int, int], None]]) -> dict[str, Listener]:
    """Who hears of chosen patches, for a picker or a component that is built on it.

    Args:
        grid: rows and columns of patches.
        listeners: who hears of row and column, for each role that can be chosen.
    """

    def act(choice: tuple[Role, int, int]) -> None:
        role, row, column = choice
        listeners[role](row, column)

    return {"chosen": Listener("a patch", lambda message: read_choice(message, grid, tuple(listeners)), act)}
