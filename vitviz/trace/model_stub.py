"""Stub of a model, with only the few weights that a trace needs to compute attention."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import ModelError, VitvizError
from ..images import Preprocessing
from ..model.config import OutputKind, ViTConfig
from ..model.pooling import AttentionPool
from ..model.position_embeddings import RelativeBias
from ..model.vit import Attention, DifferentialAttention
from .trace import Trace
from .vision_transformer import VisionTransformer

ADVICE = "open the trace with vitviz.open_trace(path, model=model)"


class _Stub(nn.Module):
    """Module that raises a `ModelError` for missing attributes, once it is complete."""

    _complete = False

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            if name.startswith("_") or not self._complete:  # needed by `hasattr` and while the module is built
                raise
            raise ModelError(f"This requires the model, which is not saved with a trace; {ADVICE}.") from None


class _StubBlock(_Stub):
    def __init__(self, attn: nn.Module):
        super().__init__()
        self.attn = attn


class _StubAttention(_Stub, Attention):
    def __init__(self, config: ViTConfig):
        nn.Module.__init__(self)
        self.heads, self.scale = config.num_heads, config.scale
        self.relative = RelativeBias(config) if config.relative_position_bias else None


class _StubDifferentialAttention(_StubAttention, DifferentialAttention):
    def __init__(self, config: ViTConfig):
        super().__init__(config)
        self.lam = nn.Parameter(torch.zeros(()))


class _StubPool(_Stub, AttentionPool):
    def __init__(self, config: ViTConfig):
        nn.Module.__init__(self)
        head_dim = config.embed_dim // config.pool_num_heads
        self.heads, self.scale = config.pool_num_heads, head_dim**-0.5
        self.first = 0 if config.pool_include_prefix else config.num_prefix_tokens
        self.q = nn.Parameter(torch.zeros(config.pool_num_heads, head_dim))


class ModelStub(_Stub, VisionTransformer):
    """Stand-in for the model of a trace that was opened without it; running it raises a `ModelError`."""

    def __init__(
        self,
        config: ViTConfig,
        name: str,
        fingerprint: str,
        preprocessing: Preprocessing,
        labels: tuple[str, ...],
        output_kind: OutputKind,
        notes: tuple[str, ...],
    ):
        nn.Module.__init__(self)
        self.config = config
        self.name = name
        self.fingerprint = fingerprint
        self.preprocessing = preprocessing
        self.labels = labels
        self.output_kind = output_kind
        self.notes = notes
        kind = _StubDifferentialAttention if config.differential else _StubAttention
        with torch.device("meta"):  # shapes only, because the parameters are replaced afterwards
            self.blocks = nn.ModuleList(_StubBlock(kind(config)) for _ in range(config.depth))
            if config.pooling == "attention":
                self.attn_pool = _StubPool(config)
        self.requires_grad_(False).eval()


def make_model_stub(config: ViTConfig, weights: Mapping[str, Tensor], **description: Any) -> ModelStub:
    """Create a model stub and load its weights.

    Args:
        config: configuration of the model.
        weights: weights from `saved_weights`, by name.
        **description: other arguments of `ModelStub`.
    """
    with torch.inference_mode(False):
        model = ModelStub(config, **description)
        model.load_state_dict(weights, assign=True)
        model.requires_grad_(False)
    for module in model.modules():
        module._complete = True
    return model


def check_same_model(trace: Trace, model: VisionTransformer, error: type[VitvizError]) -> None:
    """Check that a trace was made by this model object, which is about to run.

    Args:
        trace: trace to check.
        model: model that is about to run.
        error: class of the error to raise.

    Raises:
        VitvizError: an `error`, if the trace is of another model or of a copy, or was opened without its model.
    """
    if trace.model is model:
        return
    name = trace.model.name
    if isinstance(trace.model, ModelStub):
        raise error(f"This trace of {name!r} was opened without its model; {ADVICE}.")
    other = "another copy of" if name == model.name and trace.model.config == model.config else "another model,"
    raise error(f"This trace was made by {other} {name!r}; use trace.model, or trace the image again with this model.")
