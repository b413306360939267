"""Readout, from the last residual stream to the model's output: final norm, pooling and classifier."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...analysis.arithmetic import Linear, Normed, Softmax, norm_output, normed, numbers, optional_norm, softmax
from ...errors.arguments import typed
from ...errors.brief import brief
from ...model.config import POOL
from ...trace.trace import Trace
from ..checks import Check
from .mlp import MlpSteps, mlp_steps


@brief
@dataclass(frozen=True, eq=False)
class PoolSteps:
    """Attention pooling with one learned query per head (Zhai et al. 2022, section 2, "MAP"), step by step.

    Attributes:
        q: learned query, the same for every image, float32 [head, channel].
        k, v: keys and values of the pooled tokens, [head, token, channel].
        scale: 1 / sqrt(channels).
        scores: scores of the tokens, [head, token].
        softmax: softmax of the scores, with intermediate results.
        z: weighted sums of the values, [head, channel].
        w_o: output projection, weight [D, D].
        projected: output of the projection, [D].
        mlp: steps of the MLP, whose output is added to `projected`.
        result: projected + output of the MLP, [D].
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
    """Readout from tokens to the model's output, step by step. Results are float64, weights float32.

    Attributes:
        x: residual stream after the last block, float32 [token, D], from the recording.
        norm: final norm of all tokens; None if the model has none.
        tokens: tokens after the final norm, [token, D].
        pool: steps of the attention pooling; None for other kinds of pooling.
        pooled: pooled feature: [D], or [2 D] for "token+mean", or [2, D] for "distilled".
        pooled_norm: norm of the pooled feature; None if the model has none.
        feature: input of the classifier.
        heads: classifier, weight [feature, class]; two for a distilled model, whose outputs are averaged; or empty.
        output: output of the model: logits [class], or the feature.
        checks: `"tokens"` and `"output"`; with attention pooling also `"pool_k"`, `"pool_v"`, `"pool_weights"`,
            `"pool_z"` and `"pool_out"`.
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
    """Return the hook points that `readout_by_hand` reads, from the output of the last block on."""
    pool = [f"{POOL}.{part}" for part in ("k", "v", "z", "out") if trace.config.pooling == "attention"]
    return f"blocks.{trace.layers - 1}.resid_post", "norm", *pool


@typed
def readout_by_hand(trace: Trace) -> ReadoutSteps:
    """Compute the readout from tokens to output; takes one forward pass, unless everything is recorded.

    Raises:
        HookError: if the trace was made under an `edit` and has not recorded the hook points of `readout_names`.
    """
    model, config = trace.model, trace.config
    attends = config.pooling == "attention"
    names = readout_names(trace)
    activations = trace.activations(*names)
    x = activations[names[0]]
    norm = optional_norm(x, model.norm)
    tokens = norm_output(norm, x).astype(np.float64)
    pool = _pool_steps(trace, tokens) if attends else None
    pooled = pool.result if attends else _pooled(trace, tokens)
    pooled_norm = optional_norm(pooled, model.fc_norm)
    feature = norm_output(pooled_norm, pooled)
    checks = {"tokens": Check("tokens after the final norm", tokens, activations["norm"])}
    if attends:
        weights = trace.attention(POOL)[:, 0, -pool.scores.shape[1] :]
        checks |= {
            "pool_k": Check("keys of the pooling", pool.k, activations[f"{POOL}.k"]),
            "pool_v": Check("values of the pooling", pool.v, activations[f"{POOL}.v"]),
            "pool_weights": Check("weights of the pooling", pool.softmax.weights, weights),
            "pool_z": Check("weighted sums of the values", pool.z, activations[f"{POOL}.z"][:, 0]),
            "pool_out": Check("output of the pooling", pool.result, activations[f"{POOL}.out"]),
        }
    distilled = config.pooling == "distilled"
    modules = [model.head.token, model.head.distilled] if distilled else [model.head]
    heads = tuple(Linear.of(module) for module in modules) if config.num_classes else ()
    rows = feature if distilled else feature[None]
    output = np.mean([head(row) for head, row in zip(heads, rows, strict=True)] if heads else rows, axis=0)
    checks["output"] = Check("output", output, trace.output)
    return ReadoutSteps(x, norm, tokens, pool, pooled, pooled_norm, feature, heads, output, checks)


def _pooled(trace: Trace, tokens: np.ndarray) -> np.ndarray:
    """Pool the tokens without attention."""
    pooling = trace.config.pooling
    mean = tokens[0 if pooling == "mean" and trace.config.pool_include_prefix else trace.prefix :].mean(axis=0)
    if pooling == "token+mean":
        return np.concatenate([tokens[0], mean])
    return {"token": tokens[0], "mean": mean, "distilled": tokens[:2]}[pooling]


def _pool_steps(trace: Trace, tokens: np.ndarray) -> PoolSteps:
    pool = trace.model.attn_pool
    q, kv = numbers(pool.q), Linear.of(pool.kv)(tokens[pool.first :])
    k, v = (part.reshape(len(part), *q.shape).transpose(1, 0, 2) for part in np.split(kv, 2, axis=1))
    scores = (k @ q[..., None].astype(np.float64))[..., 0] * pool.scale
    softmax_steps = softmax(scores)
    z = (softmax_steps.weights[:, None] @ v)[:, 0]
    w_o = Linear.of(pool.proj)
    projected = w_o(z.reshape(-1))
    mlp = mlp_steps(pool.mlp, trace.config.pool_activation, projected, normed(projected, pool.norm))
    return PoolSteps(q, k, v, pool.scale, scores, softmax_steps, z, w_o, projected, mlp, projected + mlp.result)
