"""Gradients with respect to attention weights, one block at a time.

Where the graph of a whole pass fits into memory it is kept, and no block is run twice. Else a pass begins at a block
with what enters it, so only one layer's matrices are ever in memory. The graph hangs on tensors of this pass: nothing
is left on the model, and its parameters are never asked for a gradient.
"""

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from ...model.config import POOL, ViTConfig
from ...model.hooks import block_input_names, capture, without_hooks
from ...model.precision import plain_arithmetic
from ...trace.trace import Trace
from .targets import Target

LARGEST_GRAPH = 400 * 2**20  # bytes, about

Graph = Mapping[str, Tensor]  # what has `graph_names`, with the graph of one pass


def stream_names(depth: int) -> tuple[str, ...]:
    """What enters each of `depth` blocks, and what leaves the last; a trace that recorded it spares a forward pass."""
    return (*block_input_names(depth), f"blocks.{depth - 1}.resid_post")


def graph_names(depth: int) -> tuple[str, ...]:
    """Names of what is kept of a pass with its graph: weights and what leaves each block."""
    return tuple(f"blocks.{layer}.{part}" for layer in range(depth) for part in ("attn.weights", "resid_post"))


def keeps_graph(config: ViTConfig, tokens: int) -> bool:
    """Return True if the graph of a whole pass is small enough to keep, and the pooling has no attention of its own."""
    numbers = 3 * config.num_heads * tokens**2 + 20 * config.embed_dim * tokens  # of a layer: matrices; activations
    return config.pooling != "attention" and 4 * config.depth * numbers <= LARGEST_GRAPH


def streams(trace: Trace) -> list[Tensor]:
    """What has these names, [1, token, D] each; each the beginning of a graph."""
    found = trace.activations(*stream_names(trace.layers))
    return [torch.tensor(x)[None].requires_grad_() for x in found.values()]


def through_block(trace: Trace, layer: int, x: Tensor) -> tuple[Tensor, Tensor]:
    """What leaves a block, [1, token, D], and its weights, [1, head, query, key], in the graph that begins at x."""
    model, name = trace.model, f"blocks.{layer}.attn.weights"
    with plain_arithmetic(), without_hooks(), capture(name) as kept:
        y = model.blocks[layer](x, trace.grid, model.rotations(trace.grid)[layer])
    return y, kept[name]


def through_readout(trace: Trace, x: Tensor, target: Target) -> tuple[Tensor, Tensor | None]:
    """The target of what leaves a block, and the weights of the pooling, [1, head, 1, key], if it has any."""
    pools = trace.config.pooling == "attention"
    with plain_arithmetic(), without_hooks(), capture(*[f"{POOL}.weights"] * pools) as kept:
        output = trace.model.forward_from(x, trace.grid, layer=trace.layers)
    return target(output).sum(), kept.get(f"{POOL}.weights")


def downwards(trace: Trace, target: Target, graph: Graph | None = None) -> Iterator[tuple[Tensor, Tensor]]:
    """Weights and the target's gradient with respect to them, [head, query, key] each, from the last layer down.

    A pooling with an attention of its own comes first, as [head, 1, key].
    """
    if graph is not None:
        weights = [graph[f"blocks.{layer}.attn.weights"] for layer in range(trace.layers)]
        value, _ = through_readout(trace, graph[f"blocks.{trace.layers - 1}.resid_post"], target)
        gradients = torch.autograd.grad(value, weights, retain_graph=True)
        yield from ((w[0].detach(), g[0]) for w, g in zip(weights[::-1], gradients[::-1], strict=True))
        return
    entering = streams(trace)
    leaving = entering.pop()
    value, pooled = through_readout(trace, leaving, target)
    if pooled is None:
        (upstream,) = torch.autograd.grad(value, [leaving])
    else:
        of_pooling, upstream = torch.autograd.grad(value, [pooled, leaving])
        yield pooled[0].detach(), of_pooling[0]
    while entering:
        x = entering.pop()
        y, weights = through_block(trace, len(entering), x)
        wanted = [weights, x] if entering else [weights]  # below the first block nobody asks
        gradient, *below = torch.autograd.grad(y, wanted, upstream)
        upstream = below[0] if below else None
        yield weights[0].detach(), gradient[0]
