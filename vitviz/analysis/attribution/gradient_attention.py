"""Attention weighted with gradients: only weights that speak for the target count."""

import torch
import torch.nn.functional as F
from torch import Tensor

from ...errors import ModelError
from ...model.config import ViTConfig
from ...trace.trace import Trace
from .layerwise import Graph, downwards
from .method import Method
from .reading import patch_map, reading
from .targets import Target

FLAT = 1e-3  # of a cosine: the sine of the angle below which rounding is all that its gradient shows


def gradient_attention(trace: Trace, target: Target, graph: Graph | None = None) -> Tensor:
    """The generic rule of relevance for self-attention, float32 [rows, columns], 0 or more.

    Chefer et al. 2021, "Generic Attention-model Explainability for Interpreting Bi-Modal and Encoder-Decoder
    Transformers", https://arxiv.org/abs/2103.15679, section 3.1: A' = E_h[(dy/dA * A)+] (equation 5) and, beginning
    with R = I, R = R + A' R for each layer (equation 6). The explanation is the patch part of the class token's row of
    R; only that row of the product is needed, so a vector is multiplied with the matrices from the last layer down.

    Where the mean of the patches is the feature it is the mean of their rows, less I, which would add the same to each
    patch. An attention pooling is one more layer whose only query has no row in I. Weights of differential attention
    are the effective ones; a negative weight with a negative gradient speaks for the target, too.

    Raises:
        ModelError: if the target does not change with the output at all, as the cosine of a feature with itself.
    """
    _check_slope(trace, target)
    layers = downwards(trace, target, graph)
    if trace.config.pooling == "attention":
        row, own = _relevant(*next(layers))[0], 0
        row = F.pad(row, (trace.token_count - len(row), 0))  # the tokens that it does not read come first
    else:
        row = own = reading(trace)
    for weights, gradient in layers:
        row = row + row @ _relevant(weights, gradient)
    return patch_map(row - own, trace)


def _relevant(weights: Tensor, gradient: Tensor) -> Tensor:
    """Equation 5: [head, query, key] to [query, key]."""
    return (gradient * weights).relu().mean(dim=0)


def _check_slope(trace: Trace, target: Target) -> None:
    """Refuse what has no gradient: the map would show rounding errors."""
    output = torch.tensor(trace.output)[None].requires_grad_()
    value = target(output)
    slope = torch.autograd.grad(value.sum(), output)[0].norm() * output.norm()
    if slope <= FLAT * value.abs():
        raise ModelError(
            f"“{target.words}” has no gradient for this image, as a similarity to itself has none at its maximum; "
            "compare it with another image, or give no target."
        )


class GradientAttention(Method):
    """Attention weighted with gradients."""

    name, title, unit = "gradient_attention", "Gradient × attention", "relevance, without unit"
    paper, url = "Chefer et al. 2021, section 3.1", "https://arxiv.org/abs/2103.15679"
    explain = staticmethod(gradient_attention)
    by_layer = holds_weights = True

    def summary(self, config: ViTConfig) -> str:
        """Sentences on what it computes."""
        return (
            "The attention of each layer, weighted with how much the target would rise with it; what would lower the "
            "target is left out. The layers are then followed up to the output, as in rollout."
        )
