"""What the pages of explanations share between visitors, so that an interaction does not run the model again.

Nothing here keeps a model or its weights in memory: that is for the shelf of models to decide.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import streamlit as st

from ...steps import ReadoutSteps, Recording, listen, readout_by_hand
from ...trace import Trace
from .. import state

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
    """What the model had at every stage of a layer."""
    found = state.trace(choice)
    return replace(_recording(choice.key, layer, found), trace=found)


@st.cache_resource(max_entries=8, show_spinner="Listening to the layer …")  # about 4 MB each at 224 px
def _recording(key: tuple, layer: int, _trace: Trace) -> Recording:
    return replace(listen(_trace, layer), trace=None)


def readout(choice: state.Choice) -> ReadoutSteps:
    """How the tokens became the output, without the weights that did it."""
    return _readout(choice.key, state.trace(choice))


@st.cache_resource(max_entries=8, show_spinner="Following the last steps …")
def _readout(key: tuple, _trace: Trace) -> ReadoutSteps:
    return replace(readout_by_hand(_trace), norm=None, pool=None, pooled_norm=None, heads=())


def stream(choice: state.Choice) -> Stream:
    """The residual stream through all blocks."""
    return _stream(choice.key, state.trace(choice))


@st.cache_resource(max_entries=8, show_spinner="Following the residual stream …")  # about 1 MB each at 224 px
def _stream(key: tuple, _trace: Trace) -> Stream:
    names = ["blocks.0.resid_pre", *(f"blocks.{layer}.resid_post" for layer in range(_trace.layers))]
    heard = _trace.activations(*names)
    return Stream(
        np.stack([heard[name][:, :FIRST_CHANNELS] for name in names]),
        np.stack([np.linalg.norm(heard[name], axis=-1) for name in names]),
    )
