"""Gradient-weighted attention rollout (Chefer et al.)."""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from ...errors import ModelError
from ...model.config import ViTConfig
from ...trace.trace import Trace
from .layerwise import Graph, attention_gradients
from .method import Method
from .readout_weights import patch_map, readout_weights
from .targets import Target

FLAT = 1e-3  # relative slope below which a gradient is rounding error; for a cosine, the sine of the angle


def gradient_attention(trace: Trace, target: Target, graph: Graph | None = None) -> Tensor:
    """Compute the relevance map for self-attention, float32 [rows, columns], non-negative.

    Chefer et al. 2021, "Generic Attention-model Explainability for Interpreting Bi-Modal and Encoder-Decoder
    Transformers", https://arxiv.org/abs/2103.15679, section 3.1: A' = E_h[(dy/dA * A)+] (equation 5) and, starting
    from R = I, R = R + A' R for each layer (equation 6). The map is the patch part of the class token's row of R. Only
    this row of the product is needed, so a vector is multiplied by the matrices from the last layer to the first.

    With mean pooling, the map is the mean of the patch rows without I, which would add a constant. Attention pooling
    is one more layer, whose single query has no row in I. For differential attention, A holds the effective weights; a
    negative weight with a negative gradient supports the target, too.

    Raises:
        ModelError: if the target has no gradient, as the cosine of a feature with itself.
    """
    _check_slope(trace, target)
    layers = attention_gradients(trace, target, graph)
    if trace.config.pooling == "attention":
        row, own = _relevant(next(layers))[0], 0
        row = F.pad(row, (trace.token_count - len(row), 0))  # skipped tokens come first
    else:
        row = own = readout_weights(trace)
    for heads in layers:
        row = row + row @ _relevant(heads)
    return patch_map(row - own, trace)


def _relevant(heads: Iterator[tuple[Tensor, Tensor]]) -> Tensor:
    """Compute A' (equation 5), [query, key], from the weights and gradients of the heads."""
    total, count = 0, 0
    for weights, gradient in heads:
        total, count = total + gradient.mul_(weights).relu_(), count + 1
    return total / count


def _check_slope(trace: Trace, target: Target) -> None:
    """Reject targets without a gradient, whose maps would show rounding errors."""
    output = torch.tensor(trace.output)[None].requires_grad_()
    value = target(output)
    slope = torch.autograd.grad(value.sum(), output)[0].norm() * output.norm()
    if slope <= FLAT * value.abs():
        raise ModelError(
            f"“{target.label}” has no gradient for this image, because a similarity to itself is at its maximum; "
            "compare it with another image, or give no target."
        )


class GradientAttention(Method):
    """Gradient-weighted attention."""

    name, title, unit = "gradient_attention", "Gradient × attention", "relevance, without unit"
    paper, url = "Chefer et al. 2021, section 3.1", "https://arxiv.org/abs/2103.15679"
    explain = staticmethod(gradient_attention)
    by_layer = holds_weights = True

    def summary(self, config: ViTConfig) -> str:
        """Describe the method."""
        return (
            "The attention weights of each layer are multiplied by the target's gradient, and negative products are "
            "set to 0. The layers are then combined as in rollout."
        )
