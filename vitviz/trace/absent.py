"""A model without its weights, but for the few that a trace computes attention with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import ModelError
from ..images import Preprocessing
from ..model.config import Meaning, ViTConfig
from ..model.pooling import AttentionPool
from ..model.position_embeddings import RelativeBias
from ..model.vit import Attention, DifferentialAttention, VisionTransformer

ADVICE = "open the trace with vitviz.open_trace(path, model=model)"


class _Absent(nn.Module):
    """A module that says in a sentence, once it is complete, that its other parts are not there."""

    _complete = False

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            if name.startswith("_") or not self._complete:  # PyTorch and Python ask whether there is such a thing
                raise
            raise ModelError(f"This needs the model, which is not saved with a trace; {ADVICE}.") from None


class _AbsentBlock(_Absent):
    def __init__(self, attn: nn.Module):
        super().__init__()
        self.attn = attn


class _AbsentAttention(_Absent, Attention):
    def __init__(self, config: ViTConfig):
        nn.Module.__init__(self)
        self.heads, self.scale = config.heads, config.scale
        self.relative = RelativeBias(config) if config.relative_positions else None


class _AbsentDifferentialAttention(_AbsentAttention, DifferentialAttention):
    def __init__(self, config: ViTConfig):
        super().__init__(config)
        self.lam = nn.Parameter(torch.zeros(()))


class _AbsentPool(_Absent, AttentionPool):
    def __init__(self, config: ViTConfig):
        nn.Module.__init__(self)
        width = config.width // config.pool_heads
        self.heads, self.scale = config.pool_heads, width**-0.5
        self.first = 0 if config.pool_prefix else config.prefix
        self.q = nn.Parameter(torch.zeros(config.pool_heads, width))


class AbsentModel(_Absent, VisionTransformer):
    """Description of a trace's model when the model itself is not there; whatever runs it raises a `ModelError`."""

    def __init__(
        self,
        config: ViTConfig,
        name: str,
        fingerprint: str,
        preprocessing: Preprocessing,
        labels: tuple[str, ...],
        meaning: Meaning,
        notes: tuple[str, ...],
    ):
        nn.Module.__init__(self)
        self.config = config
        self.name = name
        self.fingerprint = fingerprint
        self.preprocessing = preprocessing
        self.labels = labels
        self.meaning = meaning
        self.notes = notes
        kind = _AbsentDifferentialAttention if config.differential else _AbsentAttention
        with torch.device("meta"):  # shapes only: the few parameters are about to be replaced
            self.blocks = nn.ModuleList(_AbsentBlock(kind(config)) for _ in range(config.depth))
            if config.pooling == "attention":
                self.attn_pool = _AbsentPool(config)
        self.requires_grad_(False).eval()


def kept_weights(model: VisionTransformer) -> dict[str, Tensor]:
    """The weights of a model that an `AbsentModel` keeps, by their names."""
    names = ("attn.relative.table", "attn.lam", "attn_pool.q")
    return {name: value for name, value in model.state_dict().items() if name.endswith(names)}


def kept_shapes(config: ViTConfig) -> dict[str, tuple[int, ...]]:
    """The shapes of what `kept_weights` gives for a model of this configuration."""
    shapes: dict[str, tuple[int, ...]] = {}
    rows, columns = config.grid
    for layer in range(config.depth):
        if config.relative_positions:
            distances = (2 * rows - 1) * (2 * columns - 1) + 3
            shapes[f"blocks.{layer}.attn.relative.table"] = (distances, config.heads)
        if config.differential:
            shapes[f"blocks.{layer}.attn.lam"] = ()
    if config.pooling == "attention":
        shapes["attn_pool.q"] = (config.pool_heads, config.width // config.pool_heads)
    return shapes


def absent_model(config: ViTConfig, weights: Mapping[str, Tensor], **known: Any) -> AbsentModel:
    """Make a model that only has the weights of `kept_weights`.

    Args:
        config: the shape of the model.
        weights: those of `kept_weights`, by name.
        **known: the other arguments of `AbsentModel`.
    """
    with torch.inference_mode(False):
        model = AbsentModel(config, **known)
        model.load_state_dict(weights, assign=True)
        model.requires_grad_(False)
    for module in model.modules():
        module._complete = True
    return model
