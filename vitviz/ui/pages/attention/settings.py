"""Settings of the page "Attention"."""

from __future__ import annotations

from dataclasses import replace

from ....notation.view import View
from ....trace.trace import Trace
from ...app import state
from ...app.settings import Setting
from ...app.views import VIEW
from ..lesson.followed_patch import at_the_patch

KEY_PATCH = Setting("key_patch")  # row and column, from 0, of the patch that answers; None for the strongest


def with_one_head(view: View, trace: Trace) -> View:
    """The view of a layer and of one of its heads, from 0: the last one for the pooling, the first for the mean."""
    head = 0 if view.head is None else min(view.head, trace.heads - 1)
    return replace(view, layer=min(view.layer, trace.layers - 1), head=head)


PLACE = replace(
    VIEW, shown=lambda view, choice: at_the_patch(with_one_head(view, state.trace(choice)), choice)
)  # layer, head and patch, which links hold
SETTINGS = (PLACE,)
