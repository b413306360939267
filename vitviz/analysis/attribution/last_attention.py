"""Raw attention of one layer, by default the last."""

import torch
from torch import Tensor

from ...errors.arguments import checked_index, is_whole
from ...model.config import POOL, ViTConfig
from ...notation.marks import format_head, percent
from ...notation.view import has_pool
from ...trace.trace import Trace
from .method import Method, Parameter, ParameterValues
from .readout_weights import patch_map, readout_weights

LAST = -1


def last_attention(trace: Trace, *, head: int | None = None, layer: int | str = -1) -> Tensor:
    """Return the attention of the tokens that the output is pooled from, float32 [rows, columns].

    With class token pooling this is the class token's row, as in Caron et al. 2021, "Emerging Properties in
    Self-Supervised Vision Transformers" (DINO), https://arxiv.org/abs/2104.14294, section 4.2. With attention pooling
    it is the pooling's attention, with mean pooling the mean row of all pooled tokens. Attention to prefix tokens is
    left out, and the rest is not rescaled.

    Args:
        trace: trace of the image.
        head: head index, from 0; None for the mean over heads.
        layer: layer index, from 0, or `"pool"` for the attention pooling. -1 is the model's last attention, which is
            the pooling's if it has one.
    """
    pools = trace.config.pooling == "attention"
    if (isinstance(layer, str) and layer == POOL) or (pools and is_whole(layer) and layer == -1):
        weights = torch.tensor(trace.attention(POOL)[:, 0])  # head key
    else:
        weights = _rows(trace, checked_index(layer, trace.layers, "layer"))
    row = weights.mean(dim=0) if head is None else weights[checked_index(head, len(weights), "head")]
    return patch_map(row, trace)


def _rows(trace: Trace, layer: int) -> Tensor:
    """Return each head's mean row, weighted by the readout weights of the queries: [head, key]."""
    counts = readout_weights(trace)
    if trace.config.pooling == "token":
        return torch.tensor(trace.attention(layer, query=0))
    return torch.einsum("q,hqk->hk", counts, torch.tensor(trace.attention(layer)))


def _layers(trace: Trace, _: ParameterValues) -> list[int]:
    """Return the layer options; -1 is the model's last attention, which is the pooling's if it has one."""
    return [*range(trace.layers if has_pool(trace) else trace.layers - 1), LAST]


def _heads(trace: Trace, chosen: ParameterValues) -> list[int | None]:
    count = trace.config.pool_num_heads if has_pool(trace) and chosen["layer"] == LAST else trace.heads
    return [None, *range(count)]


class LastAttention(Method):
    """Raw attention."""

    name, title, unit = "attention", "Attention", "share of attention"
    paper, url = "Caron et al. 2021 (DINO), section 4.2", "https://arxiv.org/abs/2104.14294"
    explain = staticmethod(last_attention)
    targeted = runs_model = False
    parameters = (
        Parameter(
            "layer",
            "Layer",
            LAST,
            _layers,
            lambda layer: "last layer" if layer == LAST else f"layer {layer + 1}",
            lambda layer: "last" if layer == LAST else str(layer + 1),
        ),
        Parameter(
            "head",
            "Head",
            None,
            _heads,
            lambda head: "mean of the heads" if head is None else f"head {head + 1}",
            format_head,
        ),
    )

    def summary(self, config: ViTConfig) -> str:
        """Describe the method."""
        all_tokens = config.pool_include_prefix and config.num_prefix_tokens
        queries = {
            "token": "the class token",
            "mean": f"{'all tokens' if all_tokens else 'all patches'}, averaged,",
            "token+mean": "the class token and of all patches, averaged,",
            "attention": "the pooling's learned query",
            "distilled": "the class token and the distillation token, averaged,",
        }[config.pooling]
        layers = "; in other layers, of the tokens that it pools" if config.pooling == "attention" else " in one layer"
        return f"Attention of {queries}{layers}. These are raw weights; they do not depend on a target."

    def is_signed(self, config: ViTConfig) -> bool:
        """Return True for differential attention."""
        return config.differential

    def format(self, value: float) -> str:
        """Format a share of attention."""
        return percent(value)
