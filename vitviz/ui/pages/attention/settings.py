"""Settings of the page "Attention"."""

from __future__ import annotations

from dataclasses import replace

from ....notation.view import View
from ....trace.trace import Trace
from ...app import state
from ...app.settings import Setting
from ...app.views import VIEW
from ..lesson.followed_token import at_the_followed_token
from ..lesson.opening import opening

KEY_PATCH = Setting("key_patch")  # key patch, row and column from 0; None for the one with the largest weight
KEY_PREFIX_TOKEN = Setting("key_prefix_token")  # index of the prefix token that is the key instead; None: the patch


def with_one_head(view: View, trace: Trace) -> View:
    """Return the view of one layer and head: the last layer for the pooling, the first head for the mean."""
    head = 0 if view.head is None else min(view.head, trace.heads - 1)
    return replace(view, layer=min(view.layer, trace.layers - 1), head=head)


PLACE = replace(
    VIEW,
    default=opening,
    shown=lambda view, choice: at_the_followed_token(with_one_head(view, state.trace(choice)), choice),
)  # layer, head and token of links
SETTINGS = (PLACE,)
