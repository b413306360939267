"""Patch picker: an image divided into patches, with a magnified view of one patch."""

from collections.abc import Callable, Mapping
from pathlib import Path

from .._shared import Component, Listener
from .payload import Factor, Overlay, Patch, Role, payload, read_choice

__all__ = ["Factor", "Overlay", "Patch", "Role", "choices", "patch_picker"]

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
    """Draw an image with its patches. Pointing magnifies a patch; a click chooses it.

    The page stores the chosen patches: a callback receives each choice, and the next run passes it back.

    Args:
        picture: JPEG or PNG of exactly the area of the patches. A PNG in the model's resolution shows its input pixels
            in the lens.
        picture_name: alternative text of the picture.
        grid: rows and columns of patches.
        chosen: (row, column), from 0, of the query patch with the teal frame; None if there is none.
        on_choose: function called with row and column when the user chooses a patch, before the page runs again.
        second: (row, column), from 0, of the key patch with the orange frame.
        choosing: role of the patch set by a click.
        on_key: like `on_choose`, for the key; required for `choosing="key"`.
        overlay: map drawn over the picture.
        exploded: whether the patches are separated by gaps. The user's switch overrides it until it changes.
        switching: whether clicks toggle patches. Then each click is reported, also a repeated one, and no frame is
            drawn; the page shows the result in the picture.
        key: identity of the picker in the session.

    Raises:
        ValueError: if a patch is outside the grid, the overlay has another shape, or `on_key` is missing.
    """
    if choosing == "key" and on_key is None:
        raise ValueError('choosing="key" requires on_key.')
    data = payload(picture, picture_name, grid, chosen, second, choosing, overlay, exploded, switching)
    listeners = {"query": on_choose} | ({"key": on_key} if on_key else {})
    component.draw(data, choices(grid, listeners), key=key)


def choices(grid: tuple[int, int], listeners: Mapping[Role, Callable[[int, int], None]]) -> dict[str, Listener]:
    """Return the listener for chosen patches, for the picker and components based on it.

    Args:
        grid: rows and columns of patches.
        listeners: functions called with row and column, by role.
    """

    def act(choice: tuple[Role, int, int]) -> None:
        role, row, column = choice
        listeners[role](row, column)

    return {"chosen": Listener("a patch", lambda message: read_choice(message, grid, tuple(listeners)), act)}
