"""Patch that the lesson pages follow; shared with the explorer's pin and with links."""

from __future__ import annotations

from dataclasses import replace

from ....notation.view import View
from ....trace.trace import Trace
from ...app import state
from ...app.settings import Setting
from ...app.views import VIEW
from .sections import Patch, patch_number

PATCH = Setting("patch")  # row and column, from 0
PIN_SEEN = Setting("pin_seen")  # the explorer's pinned token that was adopted last


def chosen_patch(trace: Trace) -> Patch:
    """Return the followed patch: the last one chosen on any page if it is on this grid, else the middle one."""
    pinned = VIEW.of(trace).query
    if pinned is not None and pinned >= trace.prefix and pinned != PIN_SEEN.get():
        PATCH.set(divmod(pinned - trace.prefix, trace.grid[1]))
    PIN_SEEN.set(pinned)
    rows, columns = trace.grid
    patch = PATCH.get()
    if patch is None or not (patch[0] < rows and patch[1] < columns):
        patch = rows // 2, columns // 2
        PATCH.set(patch)
    return patch


def choose_patch(row: int, column: int) -> None:
    """Follow this patch and pin it in the explorer. A callback, so it holds no trace."""
    token = VIEW.token_at(row, column)
    PATCH.set((row, column))
    PIN_SEEN.set(token)
    VIEW.change(query=token)


def at_the_patch(view: View, choice: state.Choice) -> View:
    """Return the view with the followed patch as query."""
    trace = state.trace(choice)
    return replace(view, query=trace.prefix + patch_number(trace, chosen_patch(trace)))


FOLLOWED = replace(VIEW, shown=at_the_patch)  # the view in links of these pages
