"""View that the lesson opens on while the user has chosen none."""

from __future__ import annotations

from dataclasses import replace

from ....notation.view import View
from ....trace.trace import Trace
from ....walkthrough.steps.clear_head import ClearHead, clearest_head
from ...app import state
from ...app.cache import cached
from ...app.turns import one_at_a_time
from ...app.views import VIEW
from .followed_token import followed_token


def opening(choice: state.Choice) -> View:
    """Return the view that another page shows if a token is pinned there, else the followed token's clearest head."""
    clear, view = opened(choice), VIEW.of(state.trace(choice))
    return view if clear is None else replace(view, layer=clear.layer, head=clear.head)


def opened(choice: state.Choice) -> ClearHead | None:
    """Return the head that the lesson has opened on by its own rule; None if the user, a link or a pin decides."""
    trace = state.trace(choice)
    if VIEW.is_set(trace) or VIEW.of(trace).query is not None:
        return None
    return _clearest(choice.key, followed_token(trace), trace)


@cached()
def _clearest(key: tuple, query: int, _trace: Trace) -> ClearHead:
    with one_at_a_time.first():
        return clearest_head(_trace, query)
