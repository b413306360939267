"""Activations at hook points, which all pages and users share.

The first page that asks for any has all that pages usually show recorded in one further pass, and kept once: the
residual stream is one array, of which what enters a block and what leaves the one before are the same part.
"""

from __future__ import annotations

import numpy as np

from ...model.config import POOL
from ...model.hooks import block_input_names, residual_stream_names, sublayer_names
from ...trace.trace import Trace
from . import state
from .cache import cached
from .turns import one_at_a_time

LARGEST = 64_000_000  # bytes of what is recorded though nobody has asked for it yet


def activations(choice: state.Choice, *names: str) -> dict[str, np.ndarray]:
    """Activations at some hook points, float32, without the batch axis; read-only.

    Raises:
        HookError: if there is no such hook point.
    """
    usual = _usual(choice.key, choice)
    others = tuple(name for name in names if name not in usual)
    found = usual | _others(choice.key, others, choice) if others else usual
    return {name: found[name] for name in names}


def with_activations(choice: state.Choice, *names: str) -> Trace:
    """The trace with these activations at hand."""
    return state.trace(choice).with_recorded(activations(choice, *names))


def residual_stream(choice: state.Choice) -> np.ndarray:
    """The residual stream before the first block and after each, float32 [1 + layer, token, D]; read-only."""
    names = residual_stream_names(state.trace(choice).layers)
    usual = _usual(choice.key, choice)
    if names[-1] in usual:
        return usual[names[-1]].base
    found = activations(choice, *names)
    return np.stack([found[name] for name in names])


def usual_names(trace: Trace) -> tuple[str, ...]:
    """Hook points that pages show: of the whole pass if that is small enough, or of the residual stream, or none."""
    config, tokens = trace.config, trace.token_count
    stream = [*residual_stream_names(trace.layers), "embed.patches", "embed.tokens", "norm"]
    stream += [f"{POOL}.{part}" for part in ("k", "v", "z", "out") if config.pooling == "attention"]
    inner = [name for layer in range(trace.layers) for name in sublayer_names(layer) if name not in stream]
    size = 4 * tokens * config.embed_dim * (trace.layers + 4)
    a_block = 3 * config.embed_dim + 2 * config.num_heads * config.head_dim  # numbers for each token beside the stream
    if size + 4 * tokens * trace.layers * a_block <= LARGEST:
        return *stream, *inner
    return tuple(stream) if size <= LARGEST else ()


@cached("Recording activations …")
def _usual(key: tuple, _choice: state.Choice) -> dict[str, np.ndarray]:
    trace = state.trace(_choice)
    names = usual_names(trace)
    if not names:
        return {}
    with one_at_a_time:
        found = trace.activations(*names)
    in_order = residual_stream_names(trace.layers)
    stream = np.stack([found[name] for name in in_order])
    stream.flags.writeable = False
    after = dict(zip(in_order, stream, strict=True))
    entering = dict(zip(block_input_names(trace.layers), stream[:-1], strict=True))
    return found | entering | after


@cached("Recording activations …")
def _others(key: tuple, names: tuple[str, ...], _choice: state.Choice) -> dict[str, np.ndarray]:
    trace = state.trace(_choice)
    with one_at_a_time:
        return trace.activations(*names)
