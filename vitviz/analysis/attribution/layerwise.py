"""Gradients with respect to attention weights, one block at a time.

If the graph of a whole forward pass fits into memory, it is kept and no block runs twice. Otherwise each block is rerun
from its input, so only one layer's matrices are in memory at a time. The model itself is not changed, and no gradients
of its parameters are computed.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from ...model.config import POOL, ViTConfig
from ...model.hooks import block_input_names, capture, edit, without_hooks
from ...model.precision import as_input, as_result, plain_arithmetic
from ...trace.passes import edits_of
from ...trace.trace import Trace
from .targets import Target

LARGEST_GRAPH = 400 * 2**20  # bytes, approximate


class Attended(NamedTuple):
    """Activations of one block with their graph.

    Attributes:
        output: residual stream after the block, [1, token, D].
        values: values, [1, head, key, channel].
        sums: weighted sums of the values before edits, [1, head, query, channel].
    """

    output: Tensor
    values: Tensor
    sums: Tensor


Graph = Mapping[str, Tensor]  # activations at `graph_names`, attached to the graph of one forward pass


def stream_names(depth: int) -> tuple[str, ...]:
    """Return the hook points of the residual stream before each of `depth` blocks and after the last."""
    return (*block_input_names(depth), f"blocks.{depth - 1}.resid_post")


def graph_names(depth: int) -> tuple[str, ...]:
    """Return the hook points of a `Graph`: values, their weighted sums, and the output of each block."""
    return tuple(f"blocks.{layer}.{part}" for layer in range(depth) for part in ("attn.v", "attn.z", "resid_post"))


def keeps_graph(config: ViTConfig, tokens: int) -> bool:
    """Return True if the graph of a whole forward pass is small enough to keep and there is no attention pooling."""
    numbers = 3 * config.num_heads * tokens**2 + 20 * config.embed_dim * tokens  # per layer: matrices, activations
    return config.pooling != "attention" and 4 * config.depth * numbers <= LARGEST_GRAPH


def residual_streams(trace: Trace) -> list[Tensor]:
    """Return the residual stream at `stream_names`, [1, token, D] each, as leaves that require gradients."""
    stream = trace.activations(*stream_names(trace.layers))
    return [torch.tensor(x)[None].requires_grad_() for x in stream.values()]


def through_block(trace: Trace, layer: int, x: Tensor) -> Attended:
    """Run a block on its input, [1, token, D]."""
    model, name = trace.model, f"blocks.{layer}.attn"
    sums: list[Tensor] = []
    before_edits = edit({f"{name}.z": lambda z: sums.append(z) or z})
    with (
        plain_arithmetic(),
        without_hooks(),
        before_edits,
        edits_of(trace, f"blocks.{layer}."),
        capture(f"{name}.v") as v,
    ):
        y = model.blocks[layer](as_input(x, model), trace.grid, model.rotations(trace.grid)[layer])
    return Attended(y, v[f"{name}.v"], sums[0])


def of_graph(graph: Graph, layer: int) -> Attended:
    """Return the part of a graph that `through_block` returns."""
    return Attended(*(graph[f"blocks.{layer}.{part}"] for part in ("resid_post", "attn.v", "attn.z")))


def through_readout(trace: Trace, x: Tensor, target: Target) -> tuple[Tensor, Tensor | None]:
    """Return the target for a block's output, and the weights of an attention pooling, [1, head, 1, key], or None."""
    pools = trace.config.pooling == "attention"
    with (
        plain_arithmetic(),
        without_hooks(),
        edits_of(trace, POOL, "norm"),
        capture(*[f"{POOL}.weights"] * pools) as kept,
    ):
        output = trace.model.forward_from(x, trace.grid, layer=trace.layers)
    return target(as_result(output)).sum(), kept.get(f"{POOL}.weights")


def weight_gradients(values: Tensor, gradient: Tensor) -> Iterator[Tensor]:
    """Yield the gradient with respect to the attention weights of each head, [query, key].

    The weighted sums are z = A v, so the gradient with respect to A is that with respect to z times v^T. One head at a
    time stays in the processor's cache.

    Args:
        values: values v, [1, head, key, channel].
        gradient: gradient with respect to z, [1, head, query, channel].
    """
    of_sums, of_keys = as_result(gradient[0]), as_result(values.detach()[0])
    yield from (dz @ v.mT for dz, v in zip(of_sums, of_keys, strict=True))


def attention_gradients(
    trace: Trace, target: Target, graph: Graph | None = None
) -> Iterator[Iterator[tuple[Tensor, Tensor]]]:
    """Yield, from the last layer to the first, each head's attention weights and the target's gradient for them.

    Both are [query, key]. An attention pooling comes first, as [1, key].
    """
    if graph is not None:
        blocks = [of_graph(graph, layer) for layer in range(trace.layers)]
        value, _ = through_readout(trace, blocks[-1].output, target)
        gradients = torch.autograd.grad(value, [block.sums for block in blocks], retain_graph=True)
        for layer in reversed(range(trace.layers)):
            yield _of_heads(trace, layer, blocks[layer].values, gradients[layer])
        return
    entering = residual_streams(trace)
    leaving = entering.pop()
    value, pooled = through_readout(trace, leaving, target)
    if pooled is None:
        (upstream,) = torch.autograd.grad(value, [leaving])
    else:
        of_pooling, upstream = torch.autograd.grad(value, [pooled, leaving])
        yield zip(as_result(pooled.detach()[0]), as_result(of_pooling[0]), strict=True)
    while entering:
        x = entering.pop()
        layer = len(entering)
        y, values, sums = through_block(trace, layer, x)
        inputs = [sums, x] if layer else [sums]
        gradient, *below = torch.autograd.grad(y, inputs, upstream.to(y), materialize_grads=True)
        upstream = below[0] if below else None
        yield _of_heads(trace, layer, values, gradient)


def _of_heads(trace: Trace, layer: int, values: Tensor, gradient: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    for head, of_head in enumerate(weight_gradients(values, gradient)):
        yield torch.tensor(trace.attention(layer, head)), of_head
