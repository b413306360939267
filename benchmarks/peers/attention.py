"""Attention weights: rows of the class token, and all matrices."""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

import vitviz

from ..alternatives import attention_hooks
from ..library import input_tensor, timm_model
from .comparison import Arrays, Pair
from .conversions import as_transformers

ROWS_GOAL = 0.7  # vitviz computes one row for each head, the other tools whole matrices


def class_token_rows(size: int) -> Iterator[Pair]:
    """Yield the comparison of the class token's attention rows, [layer, head, key]."""
    ours, with_hooks = vitviz.load("dinov2-small"), timm_with_hooks(size)
    image = input_tensor(ours, size)

    def by_vitviz() -> Arrays:
        trace = ours.trace(image)
        return [trace.attention(layer, query=0) for layer in range(trace.layers)]

    def by_timm() -> Arrays:
        return [weights[:, 0] for weights in with_hooks(image)]

    yield Pair(
        "attention rows of the class token, all heads and layers",
        size,
        "timm with hooks, fused_attn off",
        by_vitviz,
        by_timm,
        goal=ROWS_GOAL if size > 224 else 1.0,
        why="The saving is the matrices of attention, which are a small part of a pass at 224 px."
        if size == 224
        else "vitviz runs fused attention and computes one row of each matrix.",
    )


def all_matrices(size: int) -> Iterator[Pair]:
    """Yield the comparisons of all attention weights, [layer, head, query, key]."""
    ours = vitviz.load("dinov2-small")
    image = input_tensor(ours, size)
    transformers = as_transformers(timm_model(size))

    def by_vitviz() -> Arrays:
        trace = ours.trace(image, record="blocks.*.attn.weights")
        return [trace.attention(layer) for layer in range(trace.layers)]

    def by_transformers() -> Arrays:
        with torch.inference_mode():
            return [weights[0].numpy() for weights in transformers(image[None], output_attentions=True).attentions]

    why = "Every tool computes the same products and writes the same matrices."
    quantity = "all attention matrices"
    timms = timm_with_hooks(size)
    yield Pair(quantity, size, "timm with hooks, fused_attn off", by_vitviz, lambda: timms(image), why=why)
    yield Pair(quantity, size, "transformers, output_attentions, eager", by_vitviz, by_transformers, why=why)


def timm_with_hooks(size: int) -> Callable[[Tensor], list[np.ndarray]]:
    """Return a function from an image to timm's attention weights by layer, [head, query, key]."""
    model = timm_model(size)
    captured = attention_hooks(model)

    def run(image: Tensor) -> list[np.ndarray]:
        with torch.inference_mode():
            model(image[None])
        result = [weights[0].numpy() for weights in captured]
        captured.clear()
        return result

    return run
