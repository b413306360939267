"""Attention of one head for one query: from the residual stream to the weighted sum of the values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from ...analysis.arithmetic import (
    Linear,
    Normed,
    Softmax,
    norm_output,
    normed,
    numbers,
    optional_norm,
    rotated,
    softmax,
    softmax_with_temperature,
)
from ...errors import ArgumentError
from ...errors.arguments import array, typed
from ...errors.brief import brief
from ...model.precision import as_input
from ...model.vit import ViTConfig
from ...trace.trace import Trace
from ..checks import Check
from ..sequence.positions import rotary_angles
from .recording import Recording


@brief
@dataclass(frozen=True, eq=False)
class HeadSteps:
    """Attention of one head for one query token, step by step. Results are float64, weights float32.

    In differential attention a head's channels form two halves, each with its own scores and softmax; then `scores`,
    `softmax` and `score` have a first axis of 2.

    Attributes:
        layer, head, query, key: indices, from 0; prefix tokens come first.
        x: residual stream before the block, float32 [token, D], from the recording.
        norm: norm of all tokens before attention; None in post-norm blocks.
        entered: input of attention, [token, D].
        w_q, w_k, w_v: linear maps of this head, weight [D, channel] and bias [channel].
        q_norm, k_norm: norms of the query [channel] and of all keys [token, channel]; None without QK-norm.
        angles: RoPE angles of pairs of channels, in radians [token, pair]; or None.
        q_before, k_before: query [channel] and keys [token, channel] before RoPE.
        q: query [channel].
        k, v: keys and values of all tokens [token, channel].
        scale: 1 / sqrt(d), where d is the number of channels in a dot product.
        products: query times chosen key, elementwise, [channel].
        product: sum of the products; in differential attention of each half, [2].
        bias: relative position bias of each key, float32 [token]; or None.
        score: score of the chosen key, product * scale + bias.
        scores: scores of all keys, [token].
        softmax: softmax of the scores, with intermediate results.
        lam: lambda of differential attention, the factor of the second softmax; else None.
        weights: attention weights of all keys, [token].
        z: sum of all values times their weights, [channel].
        prefix: number of prefix tokens.
        checks: `"norm"` if there is one, `"q"`, `"k"`, `"v"`, `"score"`, `"scores"`, `"weights"`, `"z"`.
    """

    layer: int
    head: int
    query: int
    key: int
    x: np.ndarray
    norm: Normed | None
    entered: np.ndarray
    w_q: Linear
    w_k: Linear
    w_v: Linear
    q_norm: Normed | None
    k_norm: Normed | None
    angles: np.ndarray | None
    q_before: np.ndarray
    k_before: np.ndarray
    q: np.ndarray
    k: np.ndarray
    v: np.ndarray
    scale: float
    products: np.ndarray
    product: np.ndarray | float
    bias: np.ndarray | None
    score: np.ndarray | float
    scores: np.ndarray
    softmax: Softmax
    lam: float | None
    weights: np.ndarray
    z: np.ndarray
    prefix: int
    checks: dict[str, Check]

    @property
    def row_sum(self) -> float:
        """Sum of the weights: 1, or 1 - lambda in differential attention."""
        return float(self.weights.sum())

    @property
    def to_prefix(self) -> np.ndarray:
        """Attention weights of the prefix tokens, [prefix]."""
        return self.weights[: self.prefix]

    @property
    def contributions(self) -> np.ndarray:
        """Values times weights, [token, channel]; their sum over tokens is `z`."""
        return self.weights[:, None] * self.v

    def at_temperature(self, temperature: float) -> np.ndarray:
        """Return the weights at another softmax temperature, [token]; the model uses 1."""
        return what_if_temperature(self.scores, temperature, self.lam)


@typed
def head_steps(recording: Recording, head: int, query: int, key: int) -> HeadSteps:
    """Compute the attention of one head for one query token.

    Only the residual stream `x` is taken from the recording; all other results are computed from it and the weights.

    Args:
        recording: recording of the layer.
        head: head index, from 0.
        query: index of the query token.
        key: index of the key token for the elementwise products.

    Raises:
        IndexError: if an index is out of range.
    """
    trace, block, attn = recording.trace, recording.block, recording.block.attn
    config = trace.config
    head, query, key = trace.head_index(head), trace.token_index(query), trace.token_index(key)
    x = recording["resid_pre"]
    norm = None if config.block == "post" else normed(x, block.norm1)
    entered = norm_output(norm, x)
    w_q, w_k, w_v = (Linear.of(attn.qkv, _outputs(config, part, head)) for part in range(3))
    q_before, k_before, v = w_q(entered[query]), w_k(entered), w_v(entered)
    q_norm, k_norm = optional_norm(q_before, attn.q_norm), optional_norm(k_before, attn.k_norm)
    q_before, k_before = norm_output(q_norm, q_before), norm_output(k_norm, k_before)
    angles = token_angles(trace, recording.layer, head)
    q = q_before if angles is None else rotated(q_before, angles[query])
    k = k_before if angles is None else rotated(k_before, angles)
    bias = attn.bias(trace.grid)
    bias = None if bias is None else numbers(bias[head, query])
    scores = scored(config, q, k, bias)
    softmax_steps = softmax(scores)
    lam = float(attn.lam) if config.differential else None
    weights = effective(softmax_steps.weights, lam)
    z = weights @ v
    products = q * k[key]
    recorded = {part: recording[f"attn.{part}"][head] for part in "qkvz"}
    model_scores = trace.scores(recording.layer, head, query)
    checks = {} if norm is None else {"norm": Check("norm of all tokens", entered, _applied(block.norm1, x))}
    checks |= {
        "q": Check("query", q, recorded["q"][query]),
        "k": Check("keys of all tokens", k, recorded["k"]),
        "v": Check("values of all tokens", v, recorded["v"]),
        "score": Check("score of the chosen key", scores[..., key], model_scores[..., key], among=model_scores),
        "scores": Check("scores of all keys", scores, model_scores),
        "weights": Check("attention weights", weights, trace.attention(recording.layer, head, query)),
        "z": Check("weighted sum of the values", z, recorded["z"][query]),
    }
    return HeadSteps(
        layer=recording.layer,
        head=head,
        query=query,
        key=key,
        x=x,
        norm=norm,
        entered=entered,
        w_q=w_q,
        w_k=w_k,
        w_v=w_v,
        q_norm=q_norm,
        k_norm=k_norm,
        angles=angles,
        q_before=q_before,
        k_before=k_before,
        q=q,
        k=k,
        v=v,
        scale=config.scale,
        products=products,
        product=_halves(config, products).sum(axis=-1),
        bias=bias,
        score=scores[..., key],
        scores=scores,
        softmax=softmax_steps,
        lam=lam,
        weights=weights,
        z=z,
        prefix=trace.prefix,
        checks=checks,
    )


@typed
def what_if_temperature(scores: np.ndarray, temperature: float, lam: float | None = None) -> np.ndarray:
    """Compute attention weights at another softmax temperature; models always use 1.

    Args:
        scores: scores of all keys, [..., key], or [..., 2, key] for differential attention.
        temperature: divisor of the scores; 0 gives all weight to the largest score, infinity uniform weights.
        lam: lambda of differential attention, else None.

    Returns:
        float64 [..., key].

    Raises:
        ArgumentError: if the temperature is negative or NaN, or the scores or lambda are invalid.
    """
    scores = array(scores, "..., key", "Scores", finite=False)
    if lam is not None and (scores.ndim < 2 or scores.shape[-2] != 2 or not np.isfinite(float(lam))):
        raise ArgumentError("A lambda has to be finite, with scores of shape [..., 2, key]; otherwise leave it out.")
    return effective(softmax_with_temperature(scores, temperature), lam)


def scored(config: ViTConfig, q: np.ndarray, k: np.ndarray, bias: np.ndarray | None) -> np.ndarray:
    """Compute scores of queries [..., channel] with keys [..., token, channel]: [..., token], or [..., 2, token]."""
    q, k = _halves(config, q), _halves(config, k)
    if config.differential:
        k = np.swapaxes(k, -2, -3)  # ... half token channel
    scores = (k @ q[..., None])[..., 0] * config.scale
    return scores if bias is None else scores + bias


def effective(weights: np.ndarray, lam: float | None) -> np.ndarray:
    """Compute attention weights, [..., key], from one softmax, or from two (Ye et al. 2024, equation 1)."""
    return weights if lam is None else weights[..., 0, :] - lam * weights[..., 1, :]


def token_angles(trace: Trace, layer: int, head: int) -> np.ndarray | None:
    """Return the RoPE angles of all tokens, radians [token, pair], 0 for prefix tokens; None without RoPE."""
    if trace.model.rope is None:
        return None
    angles = rotary_angles(trace.model, trace.grid, layer, head)
    return np.concatenate([np.zeros((trace.prefix, angles.shape[1])), angles])


def _applied(norm: nn.Module, x: np.ndarray) -> np.ndarray:
    """Apply one of the model's own modules to an array."""
    with torch.no_grad():
        return numbers(norm(as_input(torch.tensor(x), norm)))


def _halves(config: ViTConfig, x: np.ndarray) -> np.ndarray:
    """Split channels into the two halves of differential attention, [..., 2, channel]; else return them unchanged."""
    return x.reshape(*x.shape[:-1], 2, -1) if config.differential else x


def _outputs(config: ViTConfig, part: int, head: int) -> slice:
    """Return the outputs of the joint QKV map that are queries (part 0), keys (1) or values (2) of a head."""
    first = (part * config.num_heads + head) * config.head_dim
    return slice(first, first + config.head_dim)
