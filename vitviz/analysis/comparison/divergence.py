"""Jensen-Shannon divergence of attention."""

from __future__ import annotations

import numpy as np
import torch

from ...errors import ArgumentError, ModelError
from ...errors.arguments import array, typed
from ...trace.trace import Trace
from ..attention import row_entropy


@typed
def jensen_shannon(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Compute the Jensen-Shannon divergence of distributions, H((p + q) / 2) - (H(p) + H(q)) / 2.

    It is symmetric, 0 for equal distributions and 1 for distributions without a common outcome (Lin 1991, "Divergence
    measures based on the Shannon entropy", IEEE Transactions on Information Theory 37, section IV).

    Args:
        p: probabilities, [..., outcome]; they should sum to 1 over the last axis.
        q: probabilities of the same shape.

    Returns:
        Divergence in bits, float64 [...], from 0 to 1.

    Raises:
        ArgumentError: if the shapes differ, or a number is negative.
    """
    p, q = (array(one, "..., outcome", "Probabilities") for one in (p, q))
    if p.shape != q.shape:
        raise ArgumentError(f"The distributions have shapes {list(p.shape)} and {list(q.shape)}; give equal shapes.")
    if p.min() < 0 or q.min() < 0:
        raise ArgumentError("Some probabilities are negative; give distributions.")
    p, q = (torch.from_numpy(one.astype(np.float64)) for one in (p, q))
    divergence = row_entropy((p + q) / 2) - (row_entropy(p) + row_entropy(q)) / 2
    return divergence.clamp(0, 1).numpy()  # rounding


@typed
def attention_divergence(trace_a: Trace, trace_b: Trace) -> np.ndarray:
    """Compute how much the attention of each head differs between two traces with the same layers, heads and tokens.

    The Jensen-Shannon divergence of the rows of both attention matrices, averaged over all queries. One layer is
    processed at a time, which takes heads x tokens x tokens numbers of memory.

    Args:
        trace_a: first trace.
        trace_b: trace with as many layers, heads and tokens, such as one of the same image after fine-tuning.

    Returns:
        Mean divergence in bits, float32 [layer, head], from 0 (equal) to 1 (no token in common).

    Raises:
        ModelError: if the numbers of layers, heads or tokens differ, or for differential attention, whose weights may
            be negative.
    """
    check_same_shape(trace_a, trace_b)
    if trace_a.config.differential or trace_b.config.differential:
        raise ModelError("Differential attention has negative weights, which have no Jensen-Shannon divergence.")
    rows = [jensen_shannon(trace_a.attention(layer), trace_b.attention(layer)) for layer in range(trace_a.layers)]
    return np.stack([of_layer.mean(axis=-1) for of_layer in rows]).astype(np.float32)


def check_same_shape(trace_a: Trace, trace_b: Trace) -> None:
    """Raise a `ModelError` unless both traces have the same numbers of layers, heads, tokens and embed_dim."""
    for what, of in (
        ("layers", lambda trace: trace.layers),
        ("heads", lambda trace: trace.heads),
        ("prefix tokens", lambda trace: trace.prefix),
        ("rows and columns of patches", lambda trace: trace.grid),
        ("dimensions", lambda trace: trace.config.embed_dim),
    ):
        if of(trace_a) != of(trace_b):
            raise ModelError(
                f"The traces differ in their number of {what}, {of(trace_a)} and {of(trace_b)}; compare two "
                "checkpoints of one architecture at one input size."
            )
