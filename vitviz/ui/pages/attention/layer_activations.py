"""Cached activations for the lesson pages, shared by all users, so that interactions need no forward pass.

No result keeps a model or its weights in memory; the model cache decides on these.
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

FIRST_CHANNELS = 64  # of the residual stream; all channels of a large model would take too much memory


@dataclass(frozen=True, eq=False)
class Stream:
    """Residual stream of all tokens, before the first block and after each.

    Attributes:
        channels: the first dimensions, float32 [1 + layer, token, channel].
        norms: L2 norm of each token, float32 [1 + layer, token].
    """

    channels: np.ndarray
    norms: np.ndarray


def recording(choice: state.Choice, layer: int) -> Recording:
    """Return the activations at every stage of a layer."""
    trace = state.trace(choice)
    kept = activations(choice, *sublayer_names(layer))
    kept |= {f"blocks.{layer}.attn.q": trace.queries(layer), f"blocks.{layer}.attn.k": trace.keys(layer)}
    return Recording(trace, layer, kept)


def readout(choice: state.Choice) -> ReadoutSteps:
    """Return the steps from the tokens to the output, without the weights of the model."""
    return _readout(choice.key, choice)


@cached("Computing the last steps …")
def _readout(key: tuple, _choice: state.Choice) -> ReadoutSteps:
    trace = with_activations(_choice, *readout_names(state.trace(_choice)))
    with state.one_at_a_time:
        return replace(readout_by_hand(trace), norm=None, pool=None, pooled_norm=None, heads=())


def stream(choice: state.Choice) -> Stream:
    """Return the residual stream through all blocks."""
    residual = residual_stream(choice)
    return Stream(residual[..., :FIRST_CHANNELS], np.linalg.norm(residual, axis=-1))
