"""The whole block for one token: all heads, W_O, the residual sum, the MLP."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from torch import nn

from ...analysis.arithmetic import Linear, Normed, after, normed, normed_if, numbers, softmax
from ...errors.arguments import typed
from ...errors.brief import brief
from ...model.config import ViTConfig
from ...trace.trace import Trace
from ..checks import Check
from .attention import HeadSteps, effective, head_steps, scored
from .mlp import MlpSteps, mlp_steps
from .recording import Recording, listen


@brief
@dataclass(frozen=True, eq=False)
class BlockSteps:
    """What a block does for one token, stage by stage. Numbers by hand are float64, weights float32.

    Attributes:
        head: the steps of the chosen head.
        heads: the weighted sums of all heads, side by side, [head, channel].
        head_norm: the norm of each head's (differential attention); or None.
        concatenated: all heads in one row, after that norm, [head * channel].
        attention_norm: the norm of that row, where the model has one.
        w_o: the map that mixes the heads, weight [head * channel, D].
        projected: what it made, [D].
        attention_post_norm: the norm after attention in post-norm blocks; or None.
        attention_scale: LayerScale, a factor per channel, float32 [D]; ones if the model has none.
        attention_out: what attention adds to the residual stream, [D].
        x: the residual stream of the token as it enters, float32 [D], as recorded.
        resid_mid: x + attention_out, [D].
        mlp: the steps of the MLP.
        mlp_post_norm: the norm after it in post-norm blocks; or None.
        mlp_scale: LayerScale of the MLP, float32 [D].
        mlp_out: what the MLP adds to the residual stream, [D].
        resid_post: resid_mid + mlp_out, [D]: what leaves the block.
        checks: those of the head, then `"heads"`, `"attention_out"`, `"resid_mid"`, `"mlp_out"`, `"resid_post"`.
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
    """What a layer does for one token, by hand; one forward pass. See `block_steps`."""
    return block_steps(listen(trace, layer), head, query, key)


@typed
def block_steps(heard: Recording, head: int, query: int, key: int) -> BlockSteps:
    """What a layer does for one token, by hand: one head in detail, then all heads and the rest of the block.

    Taken from the record are the residual stream, and for the other heads queries, keys and values; all else follows.

    Args:
        heard: the layer.
        head: which head is shown in detail.
        query: the token.
        key: the token that it looks at, for the product channel by channel.

    Raises:
        IndexError: if an index is out of range.
    """
    one = head_steps(heard, head, query, key)
    config, block, attn = heard.trace.config, heard.block, heard.block.attn
    post_norm = config.block == "post"
    heads = _all_heads(heard, one)
    head_norm = normed_if(heads, attn.head_norm)
    concatenated = after(head_norm, heads).reshape(-1)
    attention_norm = normed_if(concatenated, attn.norm)
    w_o = Linear.of(attn.proj)
    projected = w_o(after(attention_norm, concatenated))
    attention_post_norm = normed(projected, block.norm1) if post_norm else None
    attention_scale = numbers(block.ls1.gamma)
    attention_out = after(attention_post_norm, projected) * attention_scale
    x = heard["resid_pre"][one.query]
    resid_mid = x + attention_out
    mlp = _mlp(config, block, resid_mid, one.entered[one.query])
    mlp_post_norm = normed(mlp.result, block.norm2) if post_norm else None
    mlp_scale = numbers(block.ls2.gamma)
    mlp_out = after(mlp_post_norm, mlp.result) * mlp_scale
    resid_post = resid_mid + mlp_out
    recorded = {part: heard[part][one.query] for part in ("attn.out", "resid_mid", "mlp.out", "resid_post")}
    checks = one.checks | {
        "heads": Check("weighted sums of all heads", heads, heard["attn.z"][:, one.query]),
        "attention_out": Check("what attention adds", attention_out, recorded["attn.out"]),
        "resid_mid": Check("residual stream after attention", resid_mid, recorded["resid_mid"]),
        "mlp_out": Check("what the MLP adds", mlp_out, recorded["mlp.out"]),
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


def _all_heads(heard: Recording, one: HeadSteps) -> np.ndarray:
    """The weighted sums of all heads for one query, [head, channel]; that of the chosen head as already computed."""
    config, attn = heard.trace.config, heard.block.attn
    q, k, v = (heard[f"attn.{part}"].astype(np.float64) for part in "qkv")
    bias = attn.bias(heard.trace.grid)
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
