"""First edit until the user chooses one: the head that matters most for this image."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ....analysis.ablation import class_score, distance
from ....analysis.ablation.sweep import each_head
from ....analysis.predictions import predictions
from ....model.edits import ActivationCopy, Edit, HeadAblation
from ....notation.view import View
from ....trace.trace import Trace
from ...app import state
from ...app.cache import cached
from ...app.views import VIEW
from . import edited_passes

MOST = 20e9  # multiplications, about as many as five passes of the shipped model; the last layer is always tried
NOTHING = 1e-4  # of the weight; less is not a movement worth a look


def first_edit(choice: state.Choice, trace: Trace) -> HeadAblation:
    """The head, of the `layers_tried` last layers, without which the output changes most.

    The change is that of the likeliest class's probability; without classes, the angle by which the feature turns.
    """
    begin = trace.layers - layers_tried(trace)
    return HeadAblation(*_strongest(choice.key, begin, choice))


def layers_tried(trace: Trace) -> int:
    """Number of the last layers whose heads are tried, as far as that takes a moment at most."""
    config, tried = trace.config, 1
    of_a_pass = (
        12 * config.embed_dim**2 * trace.token_count
    )  # multiplications in a layer, with an MLP four times as wide
    while tried < trace.layers and trace.heads * of_a_pass * (tried + 1) * (tried + 2) / 2 <= MOST:
        tried += 1
    return tried


def words(trace: Trace) -> str:
    """Sentence that names the head."""
    tried = layers_tried(trace)
    which = "all heads" if tried == trace.layers else f"the heads of the last {tried} layers"
    which = "the heads of the last layer" if tried == 1 else which
    return f"To begin with, one head is off: of {which}, the one without which the output changes most."


@cached("Looking for a head that matters …")
def _strongest(key: tuple, begin: int, _choice: state.Choice) -> tuple[int, int]:
    trace = edited_passes.for_sweeps(_choice, begin)
    model = trace.model
    score = class_score(model, predictions(trace, 1)[0].index) if model.is_classifier else distance(trace)
    with state.one_at_a_time:
        effects = np.abs(np.stack(list(each_head(model, trace, score, begin=begin))))
    layer, head = np.unravel_index(effects.argmax(), effects.shape)
    return begin + int(layer), int(head)


def most_moved(choice: state.Choice, edits: tuple[Edit, ...], trace: Trace) -> View:
    """View of the head, of all that are at hand, more of whose weight moves under the edits than that of any other.

    Each head is asked where the current token looks. Nothing moves if all that is changed comes after the attention of
    the last layer: then it is the head that was switched off last, or else the view stays as it is.
    """
    view = replace(VIEW.last(trace), direction="from")
    applied = tuple(edit for edit in edits if not isinstance(edit, ActivationCopy))
    if not applied:
        return view
    last = trace.layers - 1
    after = edited_passes.after(choice, applied, choice, last)
    token = (view if view.layer < trace.layers else replace(view, layer=last)).token(trace)
    moved = np.stack([_moved(trace, after, layer, token) for layer in range(trace.layers)])
    layer, head = np.unravel_index(int(moved.argmax()), moved.shape)
    if moved[layer, head] > NOTHING:
        return replace(view, layer=int(layer), head=int(head))
    off = [edit.target for edit in applied if isinstance(edit, HeadAblation)]
    return replace(view, layer=off[-1][1], head=off[-1][2]) if off else view


def _moved(before: Trace, after: Trace, layer: int, token: int) -> np.ndarray:
    """Half the sum of the differences between two rows of each head: the share of its weight that is elsewhere now."""
    one, other = (trace.attention(layer, query=token) for trace in (before, after))
    return 0.5 * np.abs(other - one).sum(axis=-1)
