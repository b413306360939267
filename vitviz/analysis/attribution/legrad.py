"""LeGrad: how sensitive the target is to the attention of every layer."""

import torch
import torch.nn.functional as F
from torch import Tensor

from ...errors.arguments import one_of
from ...model.config import ViTConfig
from ...trace.trace import Trace
from .layerwise import Graph, streams, through_block, through_readout
from .method import Method
from .reading import patch_map
from .targets import Target


def legrad(trace: Trace, target: Target, graph: Graph | None = None, *, tokens: str = "mean") -> Tensor:
    """LeGrad, float32 [rows, columns], from 0 to 1.

    Bousselham et al. 2024, "LeGrad: An Explainability Method for Vision Transformers via Feature Formation
    Sensitivity", https://arxiv.org/abs/2404.03214, section 3: the target s(l) is computed from the tokens after layer
    l through the final norm and the head; (ds(l)/dA(l))+ is averaged over heads and queries, its patch part taken and
    summed over the layers, and the sum scaled to run from 0 to 1. If the pooling has an attention of its own, A is
    that attention, as it looks at the tokens of layer l.

    Args:
        trace: what is explained.
        target: what of the output is explained.
        graph: the pass of the trace with its graph, where it was kept; spares running each block again.
        tokens: what stands for the tokens of a layer before norm and head: `"mean"`, the mean of all of them, as the
            authors have it; or `"pooling"`, what the model itself reads. With a class token only its row of A would
            then count. An attention pooling always reads for itself.
    """
    averaged = one_of(tokens, ("mean", "pooling"), "choice of tokens") == "mean"
    if graph is not None:
        relevant = [_relevant(trace, *_of_graph(graph, layer), target, averaged) for layer in range(trace.layers)]
        return _from_0_to_1(patch_map(torch.stack(relevant).sum(dim=0), trace))
    *entering, last = streams(trace)
    if trace.config.pooling == "attention":
        relevant = [_of_pooling(trace, x, target) for x in [*entering[1:], last]]
    else:
        blocks = (through_block(trace, layer, x) for layer, x in enumerate(entering))
        relevant = [_relevant(trace, y, weights, target, averaged) for y, weights in blocks]
    return _from_0_to_1(patch_map(torch.stack(relevant).sum(dim=0), trace))


def _of_graph(graph: Graph, layer: int) -> tuple[Tensor, Tensor]:
    """Output of a block and its weights, as `through_block`."""
    return graph[f"blocks.{layer}.resid_post"], graph[f"blocks.{layer}.attn.weights"]


def _relevant(trace: Trace, y: Tensor, weights: Tensor, target: Target, averaged: bool) -> Tensor:
    """From what leaves a block and its weights to one number a key: [token]."""
    value, _ = through_readout(trace, y.mean(dim=1, keepdim=True).expand_as(y) if averaged else y, target)
    return torch.autograd.grad(value, weights, retain_graph=True)[0][0].relu().mean(dim=(0, 1))


def _of_pooling(trace: Trace, x: Tensor, target: Target) -> Tensor:
    value, weights = through_readout(trace, x, target)
    relevant = torch.autograd.grad(value, weights)[0][0, :, 0].relu().mean(dim=0)
    return F.pad(relevant, (trace.token_count - len(relevant), 0))  # the tokens that it does not read come first


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
        """Sentences on what it computes."""
        pools = config.pooling == "attention"
        where = "the pooling's attention to the tokens of each layer" if pools else "the attention of each layer"
        return f"How much the target would rise with {where}, added up over all layers and scaled to run from 0 to 1."
