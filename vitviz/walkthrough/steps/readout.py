"""From the last residual stream to what the model returns: final norm, pooling, classifier."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...analysis.arithmetic import Linear, Normed, Softmax, after, normed, normed_if, numbers, softmax
from ...errors.arguments import typed
from ...errors.brief import brief
from ...model.config import POOL
from ...trace.trace import Trace
from ..checks import Check
from .mlp import MlpSteps, mlp_steps


@brief
@dataclass(frozen=True, eq=False)
class PoolSteps:
    """A pooling by attention: one learned query a head looks at the tokens (Zhai et al. 2022, section 2, "MAP").

    Attributes:
        q: the query, the same for every image, float32 [head, channel].
        k, v: keys and values of the tokens that it reads, [head, token, channel].
        scale: 1 / sqrt(channels).
        scores: [head, token].
        softmax: from scores to weights, with what is between.
        z: the weighted sums of the values, [head, channel].
        w_o: the map that mixes the heads, weight [D, D].
        projected: what it made, [D].
        mlp: the MLP for that; what it makes is added to `projected`.
        result: projected + the MLP's result, [D].
    """

    q: np.ndarray
    k: np.ndarray
    v: np.ndarray
    scale: float
    scores: np.ndarray
    softmax: Softmax
    z: np.ndarray
    w_o: Linear
    projected: np.ndarray
    mlp: MlpSteps
    result: np.ndarray


@brief
@dataclass(frozen=True, eq=False)
class ReadoutSteps:
    """How the tokens become the model's output, stage by stage. Numbers by hand are float64, weights float32.

    Attributes:
        x: the residual stream after the last block, float32 [token, D], as recorded.
        norm: the final norm of all tokens; None if the model has none.
        tokens: after it, [token, D].
        pool: the steps of a pooling by attention; None if the model pools otherwise.
        pooled: the pooled feature: [D]; [2 D] of "token+mean"; [2, D] of "distilled".
        pooled_norm: its norm; None if the model has none.
        feature: after that: what the classifier reads.
        heads: the classifier, weight [feature, class]; two of a distilled model, whose mean counts; or none.
        output: what the model returns, logits [class] or its feature.
        checks: `"tokens"`, with a pooling by attention `"pool_k"`, `"pool_v"`, `"pool_weights"`, `"pool_z"` and
            `"pool_out"`, and `"output"`.
    """

    x: np.ndarray
    norm: Normed | None
    tokens: np.ndarray
    pool: PoolSteps | None
    pooled: np.ndarray
    pooled_norm: Normed | None
    feature: np.ndarray
    heads: tuple[Linear, ...]
    output: np.ndarray
    checks: dict[str, Check]


def readout_names(trace: Trace) -> tuple[str, ...]:
    """Hook points that `readout_by_hand` reads: what leaves the last block, and what comes after."""
    pool = [f"{POOL}.{part}" for part in ("k", "v", "z", "out") if trace.config.pooling == "attention"]
    return f"blocks.{trace.layers - 1}.resid_post", "norm", *pool


@typed
def readout_by_hand(trace: Trace) -> ReadoutSteps:
    """How the tokens become the model's output, by hand; one forward pass, or none if all was recorded.

    Raises:
        HookError: if the trace was made under an `edit` and has not recorded what is needed.
    """
    model, config = trace.model, trace.config
    attends = config.pooling == "attention"
    names = readout_names(trace)
    heard = trace.activations(*names)
    x = heard[names[0]]
    norm = normed_if(x, model.norm)
    tokens = after(norm, x).astype(np.float64)
    pool = _attended(trace, tokens) if attends else None
    pooled = pool.result if attends else _pooled(trace, tokens)
    pooled_norm = normed_if(pooled, model.fc_norm)
    feature = after(pooled_norm, pooled)
    checks = {"tokens": Check("tokens after the final norm", tokens, heard["norm"])}
    if attends:
        weights = trace.attention(POOL)[:, 0, -pool.scores.shape[1] :]
        checks |= {
            "pool_k": Check("keys of the pooling", pool.k, heard[f"{POOL}.k"]),
            "pool_v": Check("values of the pooling", pool.v, heard[f"{POOL}.v"]),
            "pool_weights": Check("weights of the pooling", pool.softmax.weights, weights),
            "pool_z": Check("weighted sums of the values", pool.z, heard[f"{POOL}.z"][:, 0]),
            "pool_out": Check("what the pooling found", pool.result, heard[f"{POOL}.out"]),
        }
    distilled = config.pooling == "distilled"
    modules = [model.head.token, model.head.distilled] if distilled else [model.head]
    heads = tuple(Linear.of(module) for module in modules) if config.num_classes else ()
    rows = feature if distilled else feature[None]
    output = np.mean([head(row) for head, row in zip(heads, rows, strict=True)] if heads else rows, axis=0)
    checks["output"] = Check("output", output, trace.output)
    return ReadoutSteps(x, norm, tokens, pool, pooled, pooled_norm, feature, heads, output, checks)


def _pooled(trace: Trace, tokens: np.ndarray) -> np.ndarray:
    """What becomes of the tokens where no attention pools them."""
    pooling = trace.config.pooling
    mean = tokens[0 if pooling == "mean" and trace.config.pool_include_prefix else trace.prefix :].mean(axis=0)
    if pooling == "token+mean":
        return np.concatenate([tokens[0], mean])
    return {"token": tokens[0], "mean": mean, "distilled": tokens[:2]}[pooling]


def _attended(trace: Trace, tokens: np.ndarray) -> PoolSteps:
    pool = trace.model.attn_pool
    q, kv = numbers(pool.q), Linear.of(pool.kv)(tokens[pool.first :])
    k, v = (part.reshape(len(part), *q.shape).transpose(1, 0, 2) for part in np.split(kv, 2, axis=1))
    scores = (k @ q[..., None].astype(np.float64))[..., 0] * pool.scale
    weighed = softmax(scores)
    z = (weighed.weights[:, None] @ v)[:, 0]
    w_o = Linear.of(pool.proj)
    projected = w_o(z.reshape(-1))
    mlp = mlp_steps(pool.mlp, trace.config.pool_activation, projected, normed(projected, pool.norm))
    return PoolSteps(q, k, v, pool.scale, scores, weighed, z, w_o, projected, mlp, projected + mlp.result)
