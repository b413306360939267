"""Gradients with respect to attention weights, one block at a time.

If the graph of a whole forward pass fits into memory, it is kept and no block runs twice. Otherwise each block is rerun
from its input, so only one layer's matrices are in memory at a time. The model itself is not changed, and no gradients
of its parameters are computed.
"""

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from ...model.config import POOL, ViTConfig
from ...model.hooks import block_input_names, capture, without_hooks
from ...model.precision import plain_arithmetic
from ...trace.trace import Trace
from .targets import Target

LARGEST_GRAPH = 400 * 2**20  # bytes, approximate

Graph = Mapping[str, Tensor]  # activations at `graph_names`, attached to the graph of one forward pass


def stream_names(depth: int) -> tuple[str, ...]:
    """Return the hook points of the residual stream before each of `depth` blocks and after the last."""
    return (*block_input_names(depth), f"blocks.{depth - 1}.resid_post")


def graph_names(depth: int) -> tuple[str, ...]:
    """Return the hook points of a `Graph`: attention weights and output of each block."""
    return tuple(f"blocks.{layer}.{part}" for layer in range(depth) for part in ("attn.weights", "resid_post"))


def keeps_graph(config: ViTConfig, tokens: int) -> bool:
    """Return True if the graph of a whole forward pass is small enough to keep and there is no attention pooling."""
    numbers = 3 * config.num_heads * tokens**2 + 20 * config.embed_dim * tokens  # per layer: matrices, activations
    return config.pooling != "attention" and 4 * config.depth * numbers <= LARGEST_GRAPH


def residual_streams(trace: Trace) -> list[Tensor]:
    """Return the residual stream at `stream_names`, [1, token, D] each, as leaves that require gradients."""
    stream = trace.activations(*stream_names(trace.layers))
    return [torch.tensor(x)[None].requires_grad_() for x in stream.values()]


def through_block(trace: Trace, layer: int, x: Tensor) -> tuple[Tensor, Tensor]:
    """Run a block on x; return its output, [1, token, D], and its attention weights, [1, head, query, key]."""
    model, name = trace.model, f"blocks.{layer}.attn.weights"
    with plain_arithmetic(), without_hooks(), capture(name) as kept:
        y = model.blocks[layer](x, trace.grid, model.rotations(trace.grid)[layer])
    return y, kept[name]


def through_readout(trace: Trace, x: Tensor, target: Target) -> tuple[Tensor, Tensor | None]:
    """Return the target for a block's output, and the weights of an attention pooling, [1, head, 1, key], or None."""
    pools = trace.config.pooling == "attention"
    with plain_arithmetic(), without_hooks(), capture(*[f"{POOL}.weights"] * pools) as kept:
        output = trace.model.forward_from(x, trace.grid, layer=trace.layers)
    return target(output).sum(), kept.get(f"{POOL}.weights")


def attention_gradients(trace: Trace, target: Target, graph: Graph | None = None) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield attention weights and the target's gradient with respect to them, from the last layer to the first.

    Both are [head, query, key]. An attention pooling comes first, as [head, 1, key].
    """
    if graph is not None:
        weights = [graph[f"blocks.{layer}.attn.weights"] for layer in range(trace.layers)]
        value, _ = through_readout(trace, graph[f"blocks.{trace.layers - 1}.resid_post"], target)
        gradients = torch.autograd.grad(value, weights, retain_graph=True)
        yield from ((w[0].detach(), g[0]) for w, g in zip(weights[::-1], gradients[::-1], strict=True))
        return
    entering = residual_streams(trace)
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
        inputs = [weights, x] if entering else [weights]
        gradient, *below = torch.autograd.grad(y, inputs, upstream)
        upstream = below[0] if below else None
        yield weights[0].detach(), gradient[0]
