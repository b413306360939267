"""Recording of all activations of one layer, from one forward pass."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from torch import nn

from ...errors.arguments import checked_index, typed
from ...errors.brief import brief
from ...model.hooks import sublayer_names
from ...trace.trace import Trace


@brief
@dataclass(frozen=True, eq=False)
class Recording:
    """Activations of one layer in one forward pass; immutable, safe to share between threads.

    Attributes:
        trace: trace of the image.
        layer: layer index, from 0.
    """

    trace: Trace
    layer: int
    _activations: Mapping[str, np.ndarray] = field(repr=False)

    @property
    def block(self) -> nn.Module:
        """Module of the layer, for its weights."""
        return self.trace.model.blocks[self.layer]

    def __getitem__(self, part: str) -> np.ndarray:
        """Return the activation at a hook point of the layer, such as `"attn.q"`, without batch axis; read-only."""
        return self._activations[f"blocks.{self.layer}.{part}"]


@typed
def record_layer(trace: Trace, layer: int) -> Recording:
    """Record one layer; takes one forward pass, unless the trace has recorded all its hook points.

    Raises:
        IndexError: if the layer is out of range.
        HookError: if the trace was made under an `edit` and has not recorded the layer's hook points.
    """
    layer = checked_index(layer, trace.layers, "layer")
    name = f"blocks.{layer}"
    activations = trace.activations(*sublayer_names(layer))
    activations |= {f"{name}.attn.q": trace.queries(layer), f"{name}.attn.k": trace.keys(layer)}  # in every trace
    return Recording(trace, layer, activations)
