"""Projector mode in the browser: large type, and a bar that shows one section of a lesson page at a time.

Arrow keys to the left and right go from section to section. Page Up and Page Down, the keys of a presenter's remote,
also scroll within a section that is taller than the window. Input elements keep these keys.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ...app.projector import PROJECTOR
from .._shared import Component, Listener

component = Component("projector", Path(__file__).parent, isolated=False)


def projector(page: str, on_share: Callable[[], None]) -> None:
    """Draw the bar, which also applies the styles, if the projector mode is on.

    Args:
        page: address of the open page.
        on_share: function called when the user asks for the class link.
    """
    if not PROJECTOR.get():
        return
    listeners = {
        "leave": Listener("the end of the projector mode", bool, lambda _: PROJECTOR.set(False)),
        "share": Listener("a wish for the class link", bool, lambda _: on_share()),
    }
    component.draw({"page": page}, listeners, key="projector_bar")
