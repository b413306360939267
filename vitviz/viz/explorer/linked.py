"""Tokens of a layer for linked views: the explorer shows their similarity and their principal components as colours.

A part, see `vitviz.viz.explorer.payload`, with the sections

    units float16 [token, D] | colours uint8 [patch, 3]

The similarities are computed in the browser, because they follow the pointer. The colours are computed here: they are
the same for every patch.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...analysis.tokens import directions, pca_of_layers
from ...model.hooks import residual_stream_names
from ...notation.view import View
from ...trace.model_stub import ModelStub
from ...trace.passes import is_recorded
from ...trace.trace import Trace
from ..browser.binary import packed
from ..colour import overlay_map
from ..inline import text


def layer_of(trace: Trace, view: View) -> int:
    """Return the layer whose tokens belong to a view; a pooling reads the tokens after the last layer."""
    return min(view.layer, trace.layers - 1)


def layers_with_tokens(trace: Trace, view: View, kept: Sequence[int]) -> tuple[int, ...]:
    """Return the layers whose tokens a file with linked views contains: those it keeps, and that of the view."""
    return tuple(sorted({*kept, layer_of(trace, view)}))


def has_tokens(trace: Trace) -> bool:
    """Return True if the trace contains the tokens after each layer, or can compute them."""
    can_compute = not trace.edited and not isinstance(trace.model, ModelStub)
    return can_compute or is_recorded(trace, residual_stream_names(trace.layers)[1:])


def token_parts(trace: Trace, layers: Sequence[int], source: str = "") -> list[bytes]:
    """Return the parts with the tokens after some layers, in order, see `tokens_part`.

    Raises:
        HookError: if the trace was made in an edit block and the tokens were not recorded.
        ModelError: if the trace was opened without its model and the tokens were not recorded.
    """
    names = residual_stream_names(trace.layers)[1:]
    stream = trace.activations(*(names[layer] for layer in layers))  # one forward pass
    return [tokens_part(stream[names[layer]], trace.prefix, layer, source) for layer in layers]


def tokens_part(tokens: np.ndarray, prefix: int, layer: int, source: str, key: str | None = None) -> bytes:
    """Pack the tokens after a layer.

    Args:
        tokens: residual stream after the layer, float32 [token, D].
        prefix: number of prefix tokens.
        layer: index of the layer.
        source: identity of the trace. The browser keeps the tokens of earlier layers of the same trace.
        key: identity of the part, see `packed`.
    """
    components = pca_of_layers(tokens[None, prefix:])
    header = {
        "tokens_of": layer,
        "source": source,
        "embed_dim": tokens.shape[1],
        "explained": components.explained[0].tolist(),
        "similarity_colours": text(overlay_map("raw", True).tobytes()),
    }
    units = directions(tokens).astype(np.float16)
    return packed(header, {"units": units.tobytes(), "colours": components.colours(0).tobytes()}, key)
