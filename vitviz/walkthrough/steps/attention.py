"""One head, one query: from the residual stream to the weighted sum of the values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from ...analysis.arithmetic import Linear, Normed, Softmax, after, normed, normed_if, numbers, softmax, tempered, turned
from ...errors import ArgumentError
from ...errors.arguments import array, typed
from ...errors.brief import brief
from ...model.vit import ViTConfig
from ...trace.trace import Trace
from ..checks import Check
from ..sequence.places import rotary_angles
from .recording import Recording


@brief
@dataclass(frozen=True, eq=False)
class HeadSteps:
    """What one head does for one query token, stage by stage. Numbers by hand are float64, weights float32.

    In differential attention a head's channels are two halves, each with its own scores and softmax; there `scores`,
    `softmax` and `score` have a first axis of 2.

    Attributes:
        layer, head, query, key: whose steps; tokens count prefix tokens first.
        x: the residual stream that enters the block, float32 [token, D], as recorded.
        norm: the norm before attention, of all tokens; None in post-norm blocks.
        entered: what attention reads, [token, D].
        w_q, w_k, w_v: this head's maps, weight [D, channel] and bias [channel].
        q_norm, k_norm: the norms of the query [channel] and of all keys [token, channel], where the model has them.
        angles: by which rotary positions turn pairs of channels, radians [token, pair]; or None.
        q_before, k_before: query [channel] and keys [token, channel] before they are turned.
        q: the query [channel].
        k, v: keys and values of all tokens [token, channel].
        scale: 1 / sqrt(d), d the number of channels in one product.
        products: q times k of the chosen key, channel by channel, [channel].
        product: their sum; of each half, [2], in differential attention.
        bias: what relative positions add to the score of each key, float32 [token]; or None.
        score: the chosen key's score: product * scale + bias.
        scores: those of all keys, [token].
        softmax: from scores to weights, with what is between.
        lam: differential attention's lambda, how much of the second softmax is taken away; else None.
        weights: the row of attention weights, [token].
        z: the sum of all values times their weights, [channel].
        prefix: how many tokens stand before the patches.
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
        """What the weights sum to: 1, or 1 - lambda in differential attention."""
        return float(self.weights.sum())

    @property
    def to_prefix(self) -> np.ndarray:
        """The weights of the prefix tokens, [prefix]."""
        return self.weights[: self.prefix]

    @property
    def contributions(self) -> np.ndarray:
        """Every token's value times its weight, [token, channel]; their sum over tokens is `z`."""
        return self.weights[:, None] * self.v

    def at_temperature(self, temperature: float) -> np.ndarray:
        """What the weights would be at another temperature (what if: the model always has 1), [token]."""
        return what_if_temperature(self.scores, temperature, self.lam)


@typed
def head_steps(heard: Recording, head: int, query: int, key: int) -> HeadSteps:
    """What one head does for one query token, by hand.

    Only `x`, the residual stream, is taken from the record; all else follows from it and from weights.

    Args:
        heard: the layer.
        head: which head.
        query: the token that looks.
        key: the token that is looked at, for the product channel by channel.

    Raises:
        IndexError: if an index is out of range.
    """
    trace, block, attn = heard.trace, heard.block, heard.block.attn
    config = trace.config
    head, query, key = trace.head_index(head), trace.token_index(query), trace.token_index(key)
    x = heard["resid_pre"]
    norm = None if config.block == "post" else normed(x, block.norm1)
    entered = after(norm, x)
    w_q, w_k, w_v = (Linear.of(attn.qkv, _outputs(config, part, head)) for part in range(3))
    q_before, k_before, v = w_q(entered[query]), w_k(entered), w_v(entered)
    q_norm, k_norm = normed_if(q_before, attn.q_norm), normed_if(k_before, attn.k_norm)
    q_before, k_before = after(q_norm, q_before), after(k_norm, k_before)
    angles = token_angles(trace, heard.layer, head)
    q = q_before if angles is None else turned(q_before, angles[query])
    k = k_before if angles is None else turned(k_before, angles)
    bias = attn.bias(trace.grid)
    bias = None if bias is None else numbers(bias[head, query])
    scores = scored(config, q, k, bias)
    shares = softmax(scores)
    lam = float(attn.lam) if config.differential else None
    weights = effective(shares.weights, lam)
    z = weights @ v
    products = q * k[key]
    recorded = {part: heard[f"attn.{part}"][head] for part in "qkvz"}
    model_scores = trace.scores(heard.layer, head, query)
    checks = {} if norm is None else {"norm": Check("norm of all tokens", entered, _ran(block.norm1, x))}
    checks |= {
        "q": Check("query", q, recorded["q"][query]),
        "k": Check("keys of all tokens", k, recorded["k"]),
        "v": Check("values of all tokens", v, recorded["v"]),
        "score": Check("score of the chosen key", scores[..., key], model_scores[..., key], among=model_scores),
        "scores": Check("scores of all keys", scores, model_scores),
        "weights": Check("attention weights", weights, trace.attention(heard.layer, head, query)),
        "z": Check("weighted sum of the values", z, recorded["z"][query]),
    }
    return HeadSteps(
        layer=heard.layer,
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
        softmax=shares,
        lam=lam,
        weights=weights,
        z=z,
        prefix=trace.prefix,
        checks=checks,
    )


@typed
def what_if_temperature(scores: np.ndarray, temperature: float, lam: float | None = None) -> np.ndarray:
    """What weights would be if scores were divided by a temperature first. No model does this: a what-if.

    Args:
        scores: of all keys, [..., key]; [..., 2, key] of differential attention.
        temperature: 1 is the model; 0 gives all to the largest score, infinity the same to all.
        lam: differential attention's lambda; None for any other.

    Returns:
        float64 [..., key].

    Raises:
        ArgumentError: if the temperature is negative or not a number, or these are no scores.
    """
    scores = array(scores, "..., key", "Scores", finite=False)
    if lam is not None and (scores.ndim < 2 or scores.shape[-2] != 2 or not np.isfinite(float(lam))):
        raise ArgumentError("With a lambda, a finite number, scores have two halves [..., 2, key]; leave it out.")
    return effective(tempered(scores, temperature), lam)


def scored(config: ViTConfig, q: np.ndarray, k: np.ndarray, bias: np.ndarray | None) -> np.ndarray:
    """Scores of queries [..., channel] with keys [..., token, channel]: [..., token], or [..., 2, token]."""
    q, k = _halves(config, q), _halves(config, k)
    if config.differential:
        k = np.swapaxes(k, -2, -3)  # ... half token channel
    scores = (k @ q[..., None])[..., 0] * config.scale
    return scores if bias is None else scores + bias


def effective(weights: np.ndarray, lam: float | None) -> np.ndarray:
    """Attention weights from those of one softmax, or of two (Ye et al. 2024, equation 1): [..., key]."""
    return weights if lam is None else weights[..., 0, :] - lam * weights[..., 1, :]


def token_angles(trace: Trace, layer: int, head: int) -> np.ndarray | None:
    """Rotary angles of all tokens, radians [token, pair]; prefix tokens are not turned. None without rotary ones."""
    if trace.model.rope is None:
        return None
    angles = rotary_angles(trace.model, trace.grid, layer, head)
    return np.concatenate([np.zeros((trace.prefix, angles.shape[1])), angles])


def _ran(norm: nn.Module, x: np.ndarray) -> np.ndarray:
    """What the model's own module makes of numbers that it was recorded with."""
    with torch.no_grad():
        return norm(torch.tensor(x)).numpy()


def _halves(config: ViTConfig, x: np.ndarray) -> np.ndarray:
    """Channels as the two halves of differential attention, [..., 2, channel]; unchanged for any other."""
    return x.reshape(*x.shape[:-1], 2, -1) if config.differential else x


def _outputs(config: ViTConfig, part: int, head: int) -> slice:
    """Which outputs of the joint map are queries (part 0), keys (1) or values (2) of a head."""
    first = (part * config.num_heads + head) * config.head_dim
    return slice(first, first + config.head_dim)
