"""Section 6 of the page "Attention": the MLP, and the residual stream through all blocks."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import streamlit as st

from ....analysis.tokens.token_norms import outliers_in
from ....notation.marks import percent
from ....walkthrough.steps.measures import update_of, without_activation
from ...widgets import drawing, symbols
from ...widgets.strips import number
from ...widgets.sums import format_sum
from ..lesson.sections import draw_checks
from . import formulas, layer_activations
from .head_view import HeadView, why

REGISTERS = "https://arxiv.org/abs/2309.16588"  # Darcet et al. 2024


def mlp(view: HeadView) -> None:
    """Draw the MLP sublayer."""
    block, config = view.block, view.trace.config
    steps, width, hidden = block.mlp, view.values["D"], config.mlp_dim
    activation = formulas.ACTIVATIONS[config.activation]
    beside = " It is computed beside attention, from the same input." if config.block == "parallel" else ""
    gate = " It is gated: a second map, through the activation, multiplies the first." if steps.gate is not None else ""
    norm = f"A norm ({formulas.NORMS[config.norm]}) follows. " if block.mlp_post_norm is not None else ""
    view.section(
        "6 · The rest of the block, and all blocks",
        "Attention moves information **between** tokens. The MLP, a small network, works on each token **alone**: from "
        f"{{D=}} to {hidden} numbers, a nonlinear function ({activation}), and back.{gate}{beside} {norm}Its output is "
        "added, too.",
    )
    st.latex(symbols.formula(formulas.mlp(steps, config)))
    st.latex(symbols.formula(formulas.mlp_sublayer(block, config)))
    rows = max(1, -(-hidden // (2 * width)))
    st.html(
        drawing.strips([("hidden", steps.hidden, "inside the MLP")], per_row=-(-hidden // rows))
        + drawing.strips(
            [
                ("after attention", block.resid_mid, "the token"),
                ("+ MLP", block.mlp_out, "update by the MLP"),
                ("=", block.resid_post, f"output of layer {view.layer + 1}"),
            ],
            together=True,
        )
    )
    _why_activation(view, activation)
    first = [float(block.resid_mid[0]), float(block.mlp_out[0])]
    one = update_of(block.resid_mid, block.mlp_out)
    with st.expander("By hand"):
        view.draw_text(f"First number of the residual sum: {format_sum(first, float(block.resid_post[0]))}.")
        view.draw_text(
            f"L2 norm of the update: {number(float(one.ratio), 2)} times the token's. Cosine of the token before and "
            f"after: {number(float(one.cosine), 2)}."
        )


def _why_activation(view: HeadView, activation: str) -> None:
    """Draw the MLP without its activation, and the share of positive hidden numbers."""
    steps = view.block.mlp
    collapse = without_activation(steps)
    positive = percent(float((steps.hidden > 0).mean()))
    with why("activation", f"Why {activation}?"):
        if collapse is None:
            view.draw_text(
                f"It makes the MLP nonlinear. Of the {len(steps.hidden)} hidden numbers {positive} are above 0."
            )
            return
        view.draw_text(
            "Without it, two linear maps equal a single one: x W₁ W₂ is x times the matrix W₁W₂. The first number of "
            f"the output without {activation}: {number(collapse.two_maps)} by two maps, {number(collapse.one_map)} by "
            f"one. With {activation} it is {number(collapse.activated)}: negative numbers are nearly set to 0, and "
            f"which ones depends on the token. Of the {len(steps.hidden)} hidden numbers {positive} are above 0."
        )


def stream(view: HeadView) -> None:
    """Draw the token through all blocks."""
    recorded = layer_activations.stream(view.choice)
    channels, norms = recorded.channels[:, view.query], recorded.norms[:, view.query]
    layers = view.trace.layers
    blocks = "after each of the {L=} blocks" if layers > 1 else "after it"
    view.draw_text(
        f"**The residual stream.** {view.first(view.query)} before the first block and {blocks}, "
        f"{channels.shape[1]} of its dimensions. Its L2 norm goes from {number(float(norms[0]), 2)} to "
        f"{number(float(norms[-1]), 2)}."
    )
    end = max(float(np.quantile(np.abs(channels), 0.99)), 1e-9)
    st.html(drawing.stream(_stages(channels, norms), end, f"Residual stream of {view.name(view.query)}"))
    st.caption(f"Colours end at ±{number(end, 2)} (99 % of the numbers).")
    _why_registers(view, recorded.norms[-1])
    draw_checks([view.block.checks["mlp_out"], view.block.checks["resid_post"]], "network")


def _stages(channels: np.ndarray, norms: np.ndarray) -> list[tuple[str, np.ndarray, str]]:
    """Return the rows of the residual stream with their descriptions."""
    rows = [("input", channels[0], f"Before layer 1: L2 norm {number(float(norms[0]), 2)}.")]
    for layer, (before, after) in enumerate(pairwise(channels), start=1):
        top = int(np.abs(after - before).argmax())
        rows.append(
            (
                str(layer),
                after,
                f"After layer {layer}: L2 norm {number(float(norms[layer]), 2)}. Largest change: dimension {top + 1}, "
                f"from {number(float(before[top]), 2)} to {number(float(after[top]), 2)}.",
            )
        )
    return rows


def _why_registers(view: HeadView, norms: np.ndarray) -> None:
    """State the norms of registers, or of outlier patches in a model without registers, after the last layer."""
    config, prefix = view.trace.config, view.trace.prefix
    found = outliers_in(norms, prefix)
    largest, limit = (float(one / (found.median or 1.0)) for one in (found.norms.max(), found.threshold))
    with why("registers", "Why registers?"):
        if config.num_registers and config.pooling != "distilled":
            first = int(config.class_token)
            ratios = norms[first : first + config.num_registers] / (found.median or 1.0)
            listed = ", ".join(f"{number(float(ratio), 2)}" for ratio in ratios)
            has = (
                f"The registers of this model have {listed} times the median norm of its patches. Of the patches, the "
            )
        else:
            has = "This model has no registers. Of its patches after the last layer, the "
        count = len(found.tokens)
        view.draw_text(
            "Large models without registers store information on the whole image in a few background patches, which "
            "lose their own content and get large norms. Registers are extra tokens for this purpose. "
            f"{has}largest has {number(largest, 2)} times the median norm; {count or 'none'} "
            f"{'is an outlier' if count == 1 else 'are outliers'} (above {number(limit, 2)} times the median). See "
            f"[Vision Transformers Need Registers]({REGISTERS})."
        )
