"""Two pictures under one pointer: similarity of patches, matches, attention and colours of both."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from .._shared import Component, Listener
from ..patches import choices
from .payload import Pairing, Shown, Side, parts, read_shown, state

__all__ = ["Pairing", "Shown", "Side", "match_view"]

component = Component("match", Path(__file__).parent)


def match_view(
    a: Side,
    b: Side,
    pairing: Pairing,
    shown: Shown,
    chosen: tuple[int, int],
    *,
    on_choose: Callable[[int, int], None],
    on_shown: Callable[[Shown], None],
    follows: bool = False,
    key: str,
) -> None:
    """Draw both pictures. Pointing at a patch of one shows its partner and the maps of both; a click chooses it.

    Args:
        a: picture A with its data.
        b: picture B with its data.
        pairing: partner of each patch.
        shown: what the pictures show, as stored in the session.
        chosen: (row, column), from 0, of the patch of A that is shown while the pointer is elsewhere.
        on_choose: function called with row and column of a patch of A, before the page runs again. A click on B chooses
            the partner in A.
        on_shown: function called when the user shows something else.
        follows: whether picture A follows the pointer in the explorer on the same page.
        key: identity of the component in the session.

    Raises:
        ValueError: if the data of a side does not fit its grid.
    """
    listeners = choices(a.trace.grid, {"query": on_choose}) | {"shown": Listener("what is shown", read_shown, on_shown)}
    data = parts(a, b, pairing)
    component.draw(
        state(a, b, pairing, shown, chosen) | {"names": list(data), "follows": follows}, listeners, key=key, parts=data
    )
