"""Head that edits move most: what the page shows until the visitor chooses a head."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ....model.edits import Copied, Edit, HeadOff
from ....notation.view import View
from ....trace.trace import Trace
from ...app import state
from ...app.views import VIEW
from . import cached

NOTHING = 1e-4  # of the weight; less is not a movement worth a look


def most_moved(choice: state.Choice, edits: tuple[Edit, ...], trace: Trace) -> View:
    """View of the head, of all that are at hand, more of whose weight moves under the edits than that of any other.

    Each head is asked where the current token looks. Nothing moves if all that is changed comes after the attention of
    the last layer: then it is the head that was switched off last, or else the view stays as it is.
    """
    view = replace(VIEW.last(trace), direction="from")
    applied = tuple(edit for edit in edits if not isinstance(edit, Copied))
    if not applied:
        return view
    last = trace.layers - 1
    after = cached.after(choice, applied, choice, last)
    token = (view if view.layer < trace.layers else replace(view, layer=last)).token(trace)
    moved = np.stack([_moved(trace, after, layer, token) for layer in range(trace.layers)])
    layer, head = np.unravel_index(int(moved.argmax()), moved.shape)
    if moved[layer, head] > NOTHING:
        return replace(view, layer=int(layer), head=int(head))
    off = [edit.target for edit in applied if isinstance(edit, HeadOff)]
    return replace(view, layer=off[-1][1], head=off[-1][2]) if off else view


def _moved(before: Trace, after: Trace, layer: int, token: int) -> np.ndarray:
    """Half the sum of the differences between two rows of each head: the share of its weight that is elsewhere now."""
    one, other = (trace.attention(layer, query=token) for trace in (before, after))
    return 0.5 * np.abs(other - one).sum(axis=-1)
