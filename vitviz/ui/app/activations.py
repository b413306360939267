"""Activations at hook points, shared by all pages and users.

The first request records all hook points that pages usually need, in one additional forward pass. The residual stream
is stored once, as one array: the input of a block and the output of the previous block are views of the same rows.
"""

from __future__ import annotations

import numpy as np

from ...model.config import POOL
from ...model.hooks import block_input_names, residual_stream_names, sublayer_names
from ...trace.trace import Trace
from . import state
from .cache import cached
from .turns import one_at_a_time

LARGEST = 64_000_000  # maximum bytes of activations that are recorded in advance


def activations(choice: state.Choice, *names: str) -> dict[str, np.ndarray]:
    """Return activations at some hook points, float32, without the batch axis, read-only.

    Raises:
        HookError: if a hook point does not exist.
    """
    usual = _usual(choice.key, choice)
    others = tuple(name for name in names if name not in usual)
    recorded = usual | _others(choice.key, others, choice) if others else usual
    return {name: recorded[name] for name in names}


def with_activations(choice: state.Choice, *names: str) -> Trace:
    """Return the trace with these activations recorded."""
    return state.trace(choice).with_recorded(activations(choice, *names))


def residual_stream(choice: state.Choice) -> np.ndarray:
    """Residual stream before the first block and after each block, float32 [1 + layer, token, D], read-only."""
    names = residual_stream_names(state.trace(choice).layers)
    usual = _usual(choice.key, choice)
    if names[-1] in usual:
        return usual[names[-1]].base
    recorded = activations(choice, *names)
    return np.stack([recorded[name] for name in names])


def usual_names(trace: Trace) -> tuple[str, ...]:
    """Hook points recorded in advance: all that pages use, or only the residual stream, or none, depending on size."""
    config, tokens = trace.config, trace.token_count
    stream = [*residual_stream_names(trace.layers), "embed.patches", "embed.tokens", "norm"]
    stream += [f"{POOL}.{part}" for part in ("k", "v", "z", "out") if config.pooling == "attention"]
    inner = [name for layer in range(trace.layers) for name in sublayer_names(layer) if name not in stream]
    size = 4 * tokens * config.embed_dim * (trace.layers + 4)
    per_block = 3 * config.embed_dim + 2 * config.num_heads * config.head_dim  # numbers per token besides the stream
    if size + 4 * tokens * trace.layers * per_block <= LARGEST:
        return *stream, *inner
    return tuple(stream) if size <= LARGEST else ()


@cached("Recording activations …", share=0.4)
def _usual(key: tuple, _choice: state.Choice) -> dict[str, np.ndarray]:
    trace = state.trace(_choice)
    names = usual_names(trace)
    if not names:
        return {}
    with one_at_a_time:
        recorded = trace.activations(*names)
    in_order = residual_stream_names(trace.layers)
    stream = np.stack([recorded[name] for name in in_order])
    stream.flags.writeable = False
    after = dict(zip(in_order, stream, strict=True))
    entering = dict(zip(block_input_names(trace.layers), stream[:-1], strict=True))
    return recorded | entering | after


@cached("Recording activations …")
def _others(key: tuple, names: tuple[str, ...], _choice: state.Choice) -> dict[str, np.ndarray]:
    trace = state.trace(_choice)
    with one_at_a_time:
        return trace.activations(*names)
