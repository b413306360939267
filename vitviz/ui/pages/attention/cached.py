"""What the pages of explanations share between visitors, so that an interaction does not run the model again.

Nothing here keeps a model or its weights in memory: that is for the shelf of models to decide.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from ....trace.trace import Trace
from ....walkthrough.steps import ReadoutSteps, Recording, readout_by_hand
from ....walkthrough.steps.recording import PARTS
from ...app import state
from ...app.cache import cached

AT_ONCE = 40_000_000  # bytes of all layers' stages; 33 million for the shipped model at 224 px
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
    kept = dict(_heard(choice.key, tuple(range(found.layers)) if _fit_at_once(found) else (layer,), found))
    kept |= {f"blocks.{layer}.attn.q": found.queries(layer), f"blocks.{layer}.attn.k": found.keys(layer)}
    return Recording(found, layer, kept)


@cached("Listening to the layers …")
def _heard(key: tuple, layers: tuple[int, ...], _trace: Trace) -> dict[str, np.ndarray]:
    with state.one_at_a_time:
        return _trace.activations(*(f"blocks.{layer}.{part}" for layer in layers for part in PARTS))


def _fit_at_once(trace: Trace) -> bool:
    """Whether all layers can be kept, so that another one is shown without running the model again."""
    config = trace.config
    a_token = 5 * config.width + 2 * config.heads * config.head_width
    return 4 * trace.layers * trace.token_count * a_token <= AT_ONCE


def readout(choice: state.Choice) -> ReadoutSteps:
    """How the tokens became the output, without the weights that did it."""
    return _readout(choice.key, state.trace(choice))


@cached("Following the last steps …")
def _readout(key: tuple, _trace: Trace) -> ReadoutSteps:
    with state.one_at_a_time:
        return replace(readout_by_hand(_trace), norm=None, pool=None, pooled_norm=None, heads=())


def stream(choice: state.Choice) -> Stream:
    """The residual stream through all blocks."""
    found = state.trace(choice)
    heard = _heard(choice.key, tuple(range(found.layers)), found) if _fit_at_once(found) else None
    return _stream(choice.key, found, heard)


@cached("Following the residual stream …")
def _stream(key: tuple, _trace: Trace, _heard: Mapping[str, np.ndarray] | None) -> Stream:
    names = ["blocks.0.resid_pre", *(f"blocks.{layer}.resid_post" for layer in range(_trace.layers))]
    with state.one_at_a_time:
        heard = _heard or _trace.activations(*names)
    return Stream(
        np.stack([heard[name][:, :FIRST_CHANNELS] for name in names]),
        np.stack([np.linalg.norm(heard[name], axis=-1) for name in names]),
    )
