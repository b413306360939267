"""First edit until the user chooses one: the head that matters most for this image."""

from __future__ import annotations

import numpy as np

from ....analysis.ablation import class_score, distance
from ....analysis.ablation.sweep import each_head
from ....analysis.predictions import predictions
from ....model.edits import HeadAblation
from ....trace.trace import Trace
from ...app import state
from ...app.cache import cached as kept
from . import cached

MOST = 20e9  # multiplications, about as many as five passes of the shipped model; the last layer is always tried


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


@kept("Looking for a head that matters …")
def _strongest(key: tuple, begin: int, _choice: state.Choice) -> tuple[int, int]:
    trace = cached.for_sweeps(_choice, begin)
    model = trace.model
    score = class_score(model, predictions(trace, 1)[0].index) if model.is_classifier else distance(trace)
    with state.one_at_a_time:
        effects = np.abs(np.stack(list(each_head(model, trace, score, begin=begin))))
    layer, head = np.unravel_index(effects.argmax(), effects.shape)
    return begin + int(layer), int(head)
