"""Token that the lesson pages follow, a patch or a prefix token; shared with the explorer's pin and with links."""

from __future__ import annotations

from dataclasses import replace

from ....notation.queries import central_token
from ....notation.view import View
from ....trace.trace import Trace
from ...app import state
from ...app.settings import Setting
from ...app.views import VIEW
from .sections import Patch, patch_number

PATCH = Setting("patch")  # row and column of the patch followed last, from 0
PREFIX_TOKEN = Setting("prefix_token")  # index of the prefix token followed instead of the patch; None: the patch
PIN_SEEN = Setting("pin_seen")  # the explorer's pinned token or region that was adopted last
_PINNED = replace(VIEW, has_regions=True)


def followed_token(trace: Trace) -> int:
    """Return the index of the followed token, prefix tokens first: the last one chosen on any page.

    A prefix token that this model does not have is replaced by the patch followed before.
    """
    patch, token = followed_patch(trace), PREFIX_TOKEN.get()
    return trace.prefix + patch_number(trace, patch) if token is None or token >= trace.prefix else token


def followed_patch(trace: Trace) -> Patch:
    """Return the patch followed last if it is on this grid, else the middle one; of a region, its central patch."""
    pinned = _PINNED.of(trace).query
    if pinned is not None and pinned != PIN_SEEN.get():
        token = central_token(pinned, trace)
        if token < trace.prefix:
            PREFIX_TOKEN.set(token)
        else:
            PREFIX_TOKEN.reset()
            PATCH.set(divmod(token - trace.prefix, trace.grid[1]))
    PIN_SEEN.set(pinned)
    rows, columns = trace.grid
    patch = PATCH.get()
    if patch is None or not (patch[0] < rows and patch[1] < columns):
        patch = rows // 2, columns // 2
        PATCH.set(patch)
    return patch


def follow_patch(row: int, column: int) -> None:
    """Follow this patch and pin it in the explorer. A callback, so it holds no trace."""
    PREFIX_TOKEN.reset()
    PATCH.set((row, column))
    _pin(VIEW.token_at(row, column))


def follow_prefix_token(token: int) -> None:
    """Follow this prefix token and pin it in the explorer. The patch is kept for the sections about pixels."""
    PREFIX_TOKEN.set(token)
    _pin(token)


def _pin(token: int) -> None:
    PIN_SEEN.set(token)
    VIEW.change(query=token)


def at_the_followed_token(view: View, choice: state.Choice) -> View:
    """Return the view with the followed token as query."""
    return replace(view, query=followed_token(state.trace(choice)))


def at_the_followed_patch(view: View, choice: state.Choice) -> View:
    """Return the view with the followed patch as query, for pages that show patches only."""
    trace = state.trace(choice)
    return replace(view, query=trace.prefix + patch_number(trace, followed_patch(trace)))


FOLLOWED = replace(VIEW, shown=at_the_followed_token)  # the view in links of these pages
