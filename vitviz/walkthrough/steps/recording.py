"""What the model had at every stage of one layer, from one forward pass."""

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
    """One layer of one forward pass; frozen, share it between threads.

    Attributes:
        trace: whose layer.
        layer: which one, from 0.
    """

    trace: Trace
    layer: int
    _kept: Mapping[str, np.ndarray] = field(repr=False)

    @property
    def block(self) -> nn.Module:
        """The model's own layer, for its weights."""
        return self.trace.model.blocks[self.layer]

    def __getitem__(self, part: str) -> np.ndarray:
        """What flowed through a hook point of the layer, such as `"attn.q"`, without the batch axis; read-only."""
        return self._kept[f"blocks.{self.layer}.{part}"]


@typed
def listen(trace: Trace, layer: int) -> Recording:
    """Record one layer with one forward pass, or none if the trace has recorded all its parts.

    Raises:
        IndexError: if there is no such layer.
        HookError: if the trace was made under an `edit` and has not recorded the layer's parts.
    """
    layer = checked_index(layer, trace.layers, "layer")
    name = f"blocks.{layer}"
    kept = trace.activations(*sublayer_names(layer))
    kept |= {f"{name}.attn.q": trace.queries(layer), f"{name}.attn.k": trace.keys(layer)}  # which every trace keeps
    return Recording(trace, layer, kept)
