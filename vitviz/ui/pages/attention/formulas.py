r"""Formulas of a block as the model at hand computes it, in KaTeX with symbols as in `vitviz.ui.widgets.symbols`.

Only the parts that the model has are written: norms before or after a sublayer (LN, or RMS), LayerScale (LS), biases,
RoPE (R), gates. Each formula describes exactly the numbers that `vitviz.walkthrough.steps` computes.
"""

from __future__ import annotations

import numpy as np

from ....analysis.arithmetic import Linear, Normed
from ....model.config import ViTConfig
from ....walkthrough.steps import BlockSteps, HeadSteps, MlpSteps
from ....walkthrough.steps.block import is_scaled

NORMS = {"layer": "LN", "rms": "RMS"}
ACTIVATIONS = {"gelu": "GELU", "gelu_tanh": "GELU", "quick_gelu": "QuickGELU", "silu": "SiLU"}


def sequence_shape(prefix: int, patches: int, embed_dim: int) -> str:
    """Return the shape of X: N patches and the prefix tokens, D numbers each; in symbols and in numbers."""
    tokens = f"(@N + {prefix})" if prefix else "@N"
    written = rf"{prefix + patches} \times {embed_dim}"
    return rf"@X \in \mathbb{{R}}^{{{tokens} \times @D}} = \mathbb{{R}}^{{{written}}}"


def norm(config: ViTConfig) -> str:
    """Return the definition of the model's norm for one token x."""
    if config.norm == "rms":
        return r"\mathrm{RMS}(x) = \frac{x}{\sqrt{\mathrm{mean}(x^2) + \varepsilon}} \odot g"
    return r"\mathrm{LN}(x) = \frac{x - \mathrm{mean}(x)}{\sqrt{\mathrm{var}(x) + \varepsilon}} \odot g + b"


def queries_keys_values(steps: HeadSteps, config: ViTConfig) -> str:
    """Return query, key and value of a token x, aligned."""
    lines = []
    for part, made in zip("qkv", (steps.w_q, steps.w_k, steps.w_v), strict=True):
        inner = _linear(_entered(config, "x"), f"@W_{part.upper()}", rf"b_{part.upper()}", made)
        if part != "v":
            inner = _applied(_name(steps.q_norm), inner)
            inner = _applied("R" if steps.angles is not None else "", inner)
        lines.append(rf"@{part} &= {inner}")
    return r"\begin{aligned}" + r" \\ ".join(lines) + r"\end{aligned}"


def score(steps: HeadSteps, channels: int) -> str:
    """Return the score of a query with a key, or in differential attention the scores of their two halves.

    Args:
        steps: steps of the head.
        channels: number of products in a score.
    """
    bias = " + b" if steps.bias is not None else ""
    halves = ("",) if steps.lam is None else ("_1", "_2")
    return r",\quad ".join(
        rf"s{half} = \frac{{@q{half} \cdot @k{half}}}{{\sqrt{{{channels}}}}}{bias}" for half in halves
    )


def attention(block: BlockSteps) -> str:
    """Return the output of attention from the weighted sums z of all heads."""
    count = len(block.heads)
    heads = range(1, count + 1) if count <= 3 else (1, 2, count)
    each = [_applied(_name(block.head_norm), f"z_{{{head}}}") for head in heads]
    if count > 3:
        each.insert(2, r"\ldots")
    joined = _applied(_name(block.attention_norm), "[" + r",\, ".join(each) + "]")
    return rf"\mathrm{{attention}} = {_linear(joined, '@W_O', 'b_O', block.w_o)}"


def attention_sublayer(block: BlockSteps, config: ViTConfig) -> str:
    """Return the residual sum after attention."""
    inner = rf"\mathrm{{attention}}({_entered(config, '@X')})"
    return rf"@X' = @X + {_update(inner, block.attention_post_norm, block.attention_scale)}"


def mlp_sublayer(block: BlockSteps, config: ViTConfig) -> str:
    """Return the residual sum after the MLP."""
    reads = {"pre": _applied(NORMS[config.norm], "@X'"), "post": "@X'", "parallel": _entered(config, "@X")}
    inner = rf"\mathrm{{MLP}}({reads[config.block]})"
    return rf"@X'' = @X' + {_update(inner, block.mlp_post_norm, block.mlp_scale)}"


def mlp(steps: MlpSteps, config: ViTConfig) -> str:
    """Return the MLP of a token x."""
    activation = rf"\mathrm{{{ACTIVATIONS[config.activation]}}}"
    up = _linear("x", "W_1", "b_1", steps.up)
    if steps.gate is None:
        hidden = rf"{activation}({up})"
    else:
        hidden = rf"{activation}({_linear('x', 'W_g', 'b_g', steps.gate)}) \odot ({up})"
        hidden = hidden if steps.hidden_norm is not None else rf"\left({hidden}\right)"
    hidden = _applied(_name(steps.hidden_norm), hidden)
    return rf"\mathrm{{MLP}}(x) = {_linear(hidden, 'W_2', 'b_2', steps.down)}"


def _update(inner: str, post_norm: Normed | None, factors: np.ndarray) -> str:
    inner = _applied(_name(post_norm), inner)
    return _applied("LS" if is_scaled(factors) else "", inner)


def _entered(config: ViTConfig, x: str) -> str:
    """Return the input of attention: the norm of x, except in post-norm blocks."""
    return x if config.block == "post" else _applied(NORMS[config.norm], x)


def _linear(x: str, weight: str, bias: str, made: Linear) -> str:
    return rf"{x}\,{weight}" + (f" + {bias}" if made.bias.any() else "")


def _applied(name: str, inner: str) -> str:
    return rf"\mathrm{{{name}}}({inner})" if name else inner


def _name(normed: Normed | None) -> str:
    """Return LN or RMS for a norm with its results; an empty text for none."""
    if normed is None:
        return ""
    return "LN" if normed.mean.any() else "RMS"
