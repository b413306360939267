"""Block for one token: all heads, W_O, residual connections and the MLP."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from torch import nn

from ...analysis.arithmetic import Linear, Normed, norm_output, normed, numbers, optional_norm, softmax
from ...errors.arguments import typed
from ...errors.brief import brief
from ...model.config import ViTConfig
from ...trace.trace import Trace
from ...trace.vision_transformer import VisionTransformer
from ..checks import Check
from .attention import HeadSteps, effective, head_steps, scored
from .mlp import MlpSteps, mlp_steps
from .recording import Recording, record_layer


@brief
@dataclass(frozen=True, eq=False)
class BlockSteps:
    """Block for one token, step by step. Results are float64, weights float32.

    Attributes:
        head: steps of the chosen head.
        heads: weighted sums of the values of all heads, [head, channel].
        head_norm: norm of each head's weighted sum (differential attention); or None.
        concatenated: weighted sums of all heads after this norm, concatenated, [head * channel].
        attention_norm: norm of the concatenated heads, if the model has one; or None.
        w_o: output projection, weight [head * channel, D].
        projected: output of the projection, [D].
        attention_post_norm: norm after attention in post-norm blocks; or None.
        attention_scale: LayerScale, a factor per channel, float32 [D]; ones if the model has none.
        attention_out: output of attention, added to the residual stream, [D].
        x: residual stream of the token before the block, float32 [D], from the recording.
        resid_mid: x + attention_out, [D].
        mlp: steps of the MLP.
        mlp_post_norm: norm after the MLP in post-norm blocks; or None.
        mlp_scale: LayerScale of the MLP, float32 [D].
        mlp_out: output of the MLP, added to the residual stream, [D].
        resid_post: residual stream after the block, resid_mid + mlp_out, [D].
        checks: checks of the head, then `"heads"`, `"attention_out"`, `"resid_mid"`, `"mlp_out"`, `"resid_post"`.
    """

    head: HeadSteps
    heads: np.ndarray
    head_norm: Normed | None
    concatenated: np.ndarray
    attention_norm: Normed | None
    w_o: Linear
    projected: np.ndarray
    attention_post_norm: Normed | None
    attention_scale: np.ndarray
    attention_out: np.ndarray
    x: np.ndarray
    resid_mid: np.ndarray
    mlp: MlpSteps
    mlp_post_norm: Normed | None
    mlp_scale: np.ndarray
    mlp_out: np.ndarray
    resid_post: np.ndarray
    checks: dict[str, Check]


@typed
def block_by_hand(trace: Trace, layer: int, head: int, query: int, key: int) -> BlockSteps:
    """Record a layer, with one forward pass, and compute its block for one token; see `block_steps`."""
    return block_steps(record_layer(trace, layer), head, query, key)


@typed
def block_steps(recording: Recording, head: int, query: int, key: int) -> BlockSteps:
    """Compute a block for one token: one head in detail, then all heads and the rest of the block.

    The residual stream, and for the other heads queries, keys and values, are taken from the recording; all other
    results are computed.

    Args:
        recording: recording of the layer.
        head: index of the head to compute in detail.
        query: index of the token.
        key: index of the key token for the elementwise products.

    Raises:
        IndexError: if an index is out of range.
    """
    one = head_steps(recording, head, query, key)
    config, block, attn = recording.trace.config, recording.block, recording.block.attn
    post_norm = config.block == "post"
    heads = _all_heads(recording, one)
    head_norm = optional_norm(heads, attn.head_norm)
    concatenated = _concatenated(head_norm, heads)
    attention_norm = optional_norm(concatenated, attn.norm)
    w_o = Linear.of(attn.proj)
    projected = w_o(norm_output(attention_norm, concatenated))
    attention_post_norm = normed(projected, block.norm1) if post_norm else None
    attention_scale = numbers(block.ls1.gamma)
    attention_out = norm_output(attention_post_norm, projected) * attention_scale
    x = recording["resid_pre"][one.query]
    resid_mid = x + attention_out
    mlp = _mlp(config, block, resid_mid, one.entered[one.query])
    mlp_post_norm = normed(mlp.result, block.norm2) if post_norm else None
    mlp_scale = numbers(block.ls2.gamma)
    mlp_out = norm_output(mlp_post_norm, mlp.result) * mlp_scale
    resid_post = resid_mid + mlp_out
    recorded = {part: recording[part][one.query] for part in ("attn.out", "resid_mid", "mlp.out", "resid_post")}
    checks = one.checks | {
        "heads": Check("weighted sums of all heads", heads, recording["attn.z"][:, one.query]),
        "attention_out": Check("attention output", attention_out, recorded["attn.out"]),
        "resid_mid": Check("residual stream after attention", resid_mid, recorded["resid_mid"]),
        "mlp_out": Check("MLP output", mlp_out, recorded["mlp.out"]),
        "resid_post": Check("residual stream after the block", resid_post, recorded["resid_post"]),
    }
    return BlockSteps(
        head=one,
        heads=heads,
        head_norm=head_norm,
        concatenated=concatenated,
        attention_norm=attention_norm,
        w_o=w_o,
        projected=projected,
        attention_post_norm=attention_post_norm,
        attention_scale=attention_scale,
        attention_out=attention_out,
        x=x,
        resid_mid=resid_mid,
        mlp=mlp,
        mlp_post_norm=mlp_post_norm,
        mlp_scale=mlp_scale,
        mlp_out=mlp_out,
        resid_post=resid_post,
        checks=checks,
    )


@typed
def attention_post_norm(recording: Recording) -> Normed | None:
    """Compute the norm after attention for all tokens, [token, D]; None for models without it.

    The weighted sums of the values are taken from the recording.
    """
    block, attn = recording.block, recording.block.attn
    if recording.trace.config.block != "post":
        return None
    heads = recording["attn.z"].astype(np.float64)
    concatenated = _concatenated(optional_norm(heads, attn.head_norm), heads)
    inner = norm_output(optional_norm(concatenated, attn.norm), concatenated)
    return normed(Linear.of(attn.proj)(inner), block.norm1)


def _concatenated(head_norm: Normed | None, heads: np.ndarray) -> np.ndarray:
    """Concatenate the outputs of all heads [head, ..., channel] after their norm: [..., head * channel]."""
    inner = np.moveaxis(norm_output(head_norm, heads), 0, -2)
    return inner.reshape(*inner.shape[:-2], -1)


def _all_heads(recording: Recording, one: HeadSteps) -> np.ndarray:
    """Return the weighted sums of all heads for one query, [head, channel], reusing that of the chosen head."""
    config, attn = recording.trace.config, recording.block.attn
    q, k, v = (recording[f"attn.{part}"].astype(np.float64) for part in "qkv")
    bias = attn.bias(recording.trace.grid)
    bias = None if bias is None else numbers(bias[:, one.query])
    weights = effective(softmax(scored(config, q[:, one.query], k, bias)).weights, one.lam)  # head key
    heads = (weights[:, None] @ v)[:, 0]
    heads[one.head] = one.z
    return heads


def _mlp(config: ViTConfig, block: nn.Module, resid_mid: np.ndarray, entered_attention: np.ndarray) -> MlpSteps:
    if config.block == "parallel":
        return mlp_steps(block.mlp, config.activation, entered_attention)
    norm = normed(resid_mid, block.norm2) if config.block == "pre" else None
    return mlp_steps(block.mlp, config.activation, resid_mid, norm)


@typed
def has_layer_scale(model: VisionTransformer) -> bool:
    """Return True if the model scales the outputs of sublayers, that is, if any factor differs from 1."""
    factors = (numbers(scale.gamma) for block in model.blocks for scale in (block.ls1, block.ls2))
    return any(map(is_scaled, factors))


def is_scaled(factors: np.ndarray) -> bool:
    """Return True if LayerScale with these factors changes anything: not all of them are 1."""
    return bool(np.any(factors != 1))
