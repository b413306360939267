"""What the pages of explanations share between visitors, so that an interaction does not run the model again.

Nothing here keeps a model or its weights in memory: that is for the shelf of models to decide.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ....model.hooks import sublayer_names
from ....walkthrough.steps import ReadoutSteps, Recording, readout_by_hand
from ....walkthrough.steps.readout import readout_names
from ...app import state
from ...app.activations import activations, residual_stream, with_activations
from ...app.cache import cached

FIRST_CHANNELS = 64  # of the residual stream: all channels of all layers of a large model would be too many to keep


@dataclass(frozen=True, eq=False)
class Stream:
    """The residual stream of all tokens, before the first block and after each.

    Attributes:
        channels: its first channels, float32 [1 + layer, token, channel].
        lengths: how long each token's vector is, float32 [1 + layer, token].
    """

    channels: np.ndarray
    lengths: np.ndarray


def recording(choice: state.Choice, layer: int) -> Recording:
    """Activations at every stage of a layer."""
    found = state.trace(choice)
    kept = activations(choice, *sublayer_names(layer))
    kept |= {f"blocks.{layer}.attn.q": found.queries(layer), f"blocks.{layer}.attn.k": found.keys(layer)}
    return Recording(found, layer, kept)


def readout(choice: state.Choice) -> ReadoutSteps:
    """Steps from the tokens to the output, without the weights of the model."""
    return _readout(choice.key, choice)


@cached("Following the last steps …")
def _readout(key: tuple, _choice: state.Choice) -> ReadoutSteps:
    trace = with_activations(_choice, *readout_names(state.trace(_choice)))
    with state.one_at_a_time:
        return replace(readout_by_hand(trace), norm=None, pool=None, pooled_norm=None, heads=())


def stream(choice: state.Choice) -> Stream:
    """The residual stream through all blocks."""
    found = residual_stream(choice)
    return Stream(found[..., :FIRST_CHANNELS], np.linalg.norm(found, axis=-1))
