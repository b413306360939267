"""Defaults of the page: ablation of the most important head, and the view of the head that changes most."""

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

MOST = 20e9  # multiplications, about five passes of the shipped model; the last layer is always tried
NOTHING = 1e-4  # of the weight; smaller changes are ignored


def first_edit(choice: state.Choice, trace: Trace) -> HeadAblation:
    """Return the ablation of the head in the last `layers_tried` layers that changes the output most.

    The measure is the probability of the top-1 class or, without classes, the cosine distance of the feature.
    """
    begin = trace.layers - layers_tried(trace)
    return HeadAblation(*_strongest(choice.key, begin, choice))


def layers_tried(trace: Trace) -> int:
    """Return the number of last layers whose heads can be tried within `MOST` multiplications."""
    config, tried = trace.config, 1
    per_layer = 12 * config.embed_dim**2 * trace.token_count  # multiplications, with mlp_dim = 4 embed_dim
    while tried < trace.layers and trace.heads * per_layer * (tried + 1) * (tried + 2) / 2 <= MOST:
        tried += 1
    return tried


def description(trace: Trace) -> str:
    """Describe the default edit in a sentence."""
    tried = layers_tried(trace)
    which = "all heads" if tried == trace.layers else f"the heads of the last {tried} layers"
    which = "the heads of the last layer" if tried == 1 else which
    return f"By default one head is ablated: of {which}, the one whose ablation changes the output most."


@cached("Searching for the most important head …")
def _strongest(key: tuple, begin: int, _choice: state.Choice) -> tuple[int, int]:
    trace = edited_passes.for_sweeps(_choice, begin)
    model = trace.model
    score = class_score(model, predictions(trace, 1)[0].index) if model.is_classifier else distance(trace)
    with state.one_at_a_time:
        effects = np.abs(np.stack(list(each_head(model, trace, score, begin=begin))))
    layer, head = np.unravel_index(effects.argmax(), effects.shape)
    return begin + int(layer), int(head)


def most_moved(choice: state.Choice, edits: tuple[Edit, ...], trace: Trace) -> View:
    """Return the view of the head whose attention weights for the current token change most under the edits.

    No weights change if all edits come after the attention of the last layer. Then it is the head ablated last, or the
    view stays as it is.
    """
    view = replace(VIEW.last(trace).without_region(), direction="from")
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
    ablated = [edit.target for edit in applied if isinstance(edit, HeadAblation)]
    return replace(view, layer=ablated[-1][1], head=ablated[-1][2]) if ablated else view


def _moved(before: Trace, after: Trace, layer: int, token: int) -> np.ndarray:
    """Return the share of weight that moved in a query's row of each head: half the sum of absolute differences."""
    one, other = (trace.attention(layer, query=token) for trace in (before, after))
    return 0.5 * np.abs(other - one).sum(axis=-1)
