"""Settings of the page "Attention"."""

from __future__ import annotations

from dataclasses import replace

from ....notation.marks import format_patch, format_token, parse_token
from ....notation.view import View
from ....trace.trace import Trace
from ...app import state
from ...app.settings import Setting
from ...app.views import VIEW
from ..lesson.followed_token import at_the_followed_token
from ..lesson.opening import opening
from ..lesson.sections import Patch

Key = int | Patch  # index of a prefix token, or row and column of a patch from 0, which fits several grids


def key_at(token: int, trace: Trace) -> Key:
    """Return the key for a token index."""
    return token if token < trace.prefix else divmod(token - trace.prefix, trace.grid[1])


def _read_key(text: str, choice: state.Choice) -> Key:
    trace = state.trace(choice)
    return key_at(parse_token(text, trace), trace)


def _write_key(key: Key, choice: state.Choice) -> str:
    return format_token(key, state.trace(choice)) if isinstance(key, int) else format_patch(*key)


def _has_key(key: Key, choice: state.Choice) -> bool:
    trace = state.trace(choice)
    return key < trace.prefix if isinstance(key, int) else key[0] < trace.grid[0] and key[1] < trace.grid[1]


def with_one_head(view: View, trace: Trace) -> View:
    """Return the view of one layer and head: the last layer for the pooling, the first head for the mean."""
    head = 0 if view.head is None else min(view.head, trace.heads - 1)
    return replace(view, layer=min(view.layer, trace.layers - 1), head=head)


KEY = Setting("attention_key", None, "key", _read_key, _write_key, _has_key)  # None: the patch with the largest weight
PLACE = replace(
    VIEW,
    default=opening,
    shown=lambda view, choice: at_the_followed_token(with_one_head(view, state.trace(choice)), choice),
)  # layer, head and token of links
SETTINGS = (PLACE, KEY)
