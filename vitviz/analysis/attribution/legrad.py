"""LeGrad: sensitivity of the target to the attention of every layer."""

import torch
import torch.nn.functional as F
from torch import Tensor

from ...errors.arguments import one_of
from ...model.config import ViTConfig
from ...model.precision import as_result
from ...trace.trace import Trace
from .layerwise import (
    Attended,
    Graph,
    of_graph,
    residual_streams,
    through_block,
    through_readout,
    weight_gradients,
)
from .method import Method
from .readout_weights import patch_map
from .targets import Target


def legrad(trace: Trace, target: Target, graph: Graph | None = None, *, tokens: str = "mean") -> Tensor:
    """Compute the LeGrad map, float32 [rows, columns], from 0 to 1.

    Bousselham et al. 2024, "LeGrad: An Explainability Method for Vision Transformers via Feature Formation
    Sensitivity", https://arxiv.org/abs/2404.03214, section 3: the target s(l) is computed from the tokens after layer
    l through the final norm and the head; (ds(l)/dA(l))+ is averaged over heads and queries, restricted to patches,
    summed over layers and rescaled to [0, 1]. With attention pooling, A is the attention of the pooling applied to the
    tokens of layer l.

    Args:
        trace: trace of the image.
        target: target to explain.
        graph: graph of the trace's forward pass, if it was kept; saves running each block again.
        tokens: input of the norm and the head: `"mean"`, the mean of all tokens, as in the paper; or `"pooling"`, the
            tokens that the model pools. With a class token, `"pooling"` uses only its row of A. Ignored with attention
            pooling.
    """
    averaged = one_of(tokens, ("mean", "pooling"), "choice of tokens") == "mean"
    if graph is not None:
        blocks = (of_graph(graph, layer) for layer in range(trace.layers))
    else:
        *entering, last = residual_streams(trace)
        blocks = (through_block(trace, layer, x) for layer, x in enumerate(entering))
    if trace.config.pooling == "attention":
        relevant = [_of_pooling(trace, x, target) for x in [*entering[1:], last]]
    else:
        relevant = [_relevant(trace, block, target, averaged) for block in blocks]
    return _from_0_to_1(patch_map(torch.stack(relevant).sum(dim=0), trace))


def _relevant(trace: Trace, block: Attended, target: Target, averaged: bool) -> Tensor:
    """Return the relevance of each key from a block, [token]."""
    y = block.output
    value, _ = through_readout(trace, y.mean(dim=1, keepdim=True).expand_as(y) if averaged else y, target)
    (gradient,) = torch.autograd.grad(value, block.sums, retain_graph=True, materialize_grads=True)
    heads = [of_head.relu_().mean(dim=0) for of_head in weight_gradients(block.values, gradient)]
    return torch.stack(heads).mean(dim=0)


def _of_pooling(trace: Trace, x: Tensor, target: Target) -> Tensor:
    value, weights = through_readout(trace, x, target)
    relevant = as_result(torch.autograd.grad(value, weights)[0])[0, :, 0].relu().mean(dim=0)
    return F.pad(relevant, (trace.token_count - len(relevant), 0))  # skipped tokens come first


def _from_0_to_1(values: Tensor) -> Tensor:
    values = values - values.min()
    return values / values.max().clamp_min(torch.finfo(values.dtype).tiny)


class LeGrad(Method):
    """Sensitivity to the attention of every layer."""

    name, title, unit = "legrad", "LeGrad", "relevance, 0 to 1"
    paper, url = "Bousselham et al. 2024, section 3", "https://arxiv.org/abs/2404.03214"
    explain = staticmethod(legrad)
    by_layer = holds_weights = True

    def summary(self, config: ViTConfig) -> str:
        """Describe the method."""
        pools = config.pooling == "attention"
        attention = "the pooling's attention to the tokens of each layer" if pools else "the attention of each layer"
        return f"Positive gradient of the target with respect to {attention}, summed over layers and scaled to [0, 1]."
