"""Attention as it is: where the last layer looks."""

import torch
from torch import Tensor

from ...errors.arguments import checked_index, is_whole
from ...model.config import POOL, ViTConfig
from ...notation.marks import head_mark, percent
from ...notation.view import has_pool
from ...trace.trace import Trace
from .method import Chosen, Method, Parameter
from .reading import patch_map, reading

LAST = -1


def last_attention(trace: Trace, *, head: int | None = None, layer: int | str = -1) -> Tensor:
    """The attention of the tokens that the output is read from, float32 [rows, columns].

    With a class token as the feature that is its row, as in Caron et al. 2021, "Emerging Properties in Self-Supervised
    Vision Transformers" (DINO), https://arxiv.org/abs/2104.14294, section 4.2. If the model pools by an attention of
    its own, it is that attention; if it pools by the mean, the mean of the rows of all tokens that the mean reads.
    What goes to prefix tokens is left out and the rest is not scaled.

    Args:
        trace: what is explained.
        head: which head; None for their mean.
        layer: which block; `"pool"` for the attention of a pooling. -1 is the model's last attention, which is the
            pooling's if it has one.
    """
    pools = trace.config.pooling == "attention"
    if (isinstance(layer, str) and layer == POOL) or (pools and is_whole(layer) and layer == -1):
        weights = torch.tensor(trace.attention(POOL)[:, 0])  # head key
    else:
        weights = _rows(trace, checked_index(layer, trace.layers, "layer"))
    row = weights.mean(dim=0) if head is None else weights[checked_index(head, len(weights), "head")]
    return patch_map(row, trace)


def _rows(trace: Trace, layer: int) -> Tensor:
    """The rows of every head, averaged over the queries as the output reads them: [head, key]."""
    counts = reading(trace)
    if trace.config.pooling == "token":
        return torch.tensor(trace.attention(layer, query=0))
    return torch.einsum("q,hqk->hk", counts, torch.tensor(trace.attention(layer)))


def _layers(trace: Trace, _: Chosen) -> list[int]:
    """-1 is the model's last attention: that of its pooling, if that has one, which comes after all layers."""
    return [*range(trace.layers if has_pool(trace) else trace.layers - 1), LAST]


def _heads(trace: Trace, chosen: Chosen) -> list[int | None]:
    count = trace.config.pool_heads if has_pool(trace) and chosen["layer"] == LAST else trace.heads
    return [None, *range(count)]


class LastAttention(Method):
    """Attention as it is."""

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
            head_mark,
        ),
    )

    def summary(self, config: ViTConfig) -> str:
        """Sentences on what it computes."""
        looking = {
            "token": "the class token looks",
            "mean": f"{'all tokens' if config.pool_prefix and config.prefix else 'all patches'} look, on average,",
            "token+mean": "the class token and, on average, the patches look",
            "attention": "the pooling looks with its learned query",
            "distilled": "class and distillation token look, on average,",
        }[config.pooling]
        other = "; in other layers, where what it reads looks" if config.pooling == "attention" else " in one layer"
        return f"Where {looking}{other}. These are the weights themselves; they say nothing about a target."

    def is_signed(self, config: ViTConfig) -> bool:
        """Return True for differential attention."""
        return config.differential

    def format(self, value: float) -> str:
        """Write a share of attention."""
        return percent(value)
