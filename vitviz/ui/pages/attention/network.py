"""Section 6 of the page "Attention": MLP, residual stream through all blocks, and output."""

from __future__ import annotations

import numpy as np
import streamlit as st

from ....analysis.predictions import predictions
from ....notation.marks import percent
from ....viz.inline import data_url
from ...widgets import drawing, symbols
from ...widgets.prediction import prediction_bars
from ...widgets.strips import number
from ..lesson import sections
from . import layer_activations
from .head_view import HeadView

ACTIVATIONS = {"gelu": "GELU", "gelu_tanh": "GELU", "quick_gelu": "QuickGELU", "silu": "SiLU"}


def mlp(view: HeadView) -> None:
    """Draw the MLP sublayer."""
    block, config = view.block, view.trace.config
    steps, width, hidden = block.mlp, view.values["D"], config.mlp_dim
    reads = {
        "pre": "a second norm, then a small network that works on each token **alone**",
        "post": "a small network that works on each token **alone**, then a norm",
        "parallel": "beside attention, and reading the same tokens as it, a small network that works on each token "
        "**alone**",
    }[config.block]
    gate = (
        " It is gated: a second map of the same size goes through the activation and multiplies the first."
        if steps.gate is not None
        else ""
    )
    inner = " The hidden numbers are normalised on the way." if steps.hidden_norm is not None else ""
    factor = " A learned factor for each dimension (LayerScale) comes last." if not np.all(block.mlp_scale == 1) else ""
    view.section(
        "6 · The rest of the block, and of the network",
        f"Attention moves information **between** tokens. The other half of the block is the MLP: {reads}: up from "
        f"{{D=}} to {hidden} numbers, {ACTIVATIONS[config.activation]}, and back down to {width}.{gate}{inner}{factor} "
        "What it makes is added, too.",
    )
    addend = r"@X" if config.block == "parallel" else r"@X'"
    st.latex(symbols.formula(rf"@X'' = @X' + \mathrm{{MLP}}({addend})"))
    rows = max(1, -(-hidden // (2 * width)))
    st.html(
        drawing.strips([("hidden", steps.hidden, "hidden numbers of the MLP")], per_row=-(-hidden // rows))
        + drawing.strips(
            [
                ("after attention", block.resid_mid, "the token"),
                ("+ MLP", block.mlp_out, "what the MLP adds"),
                ("=", block.resid_post, f"what leaves layer {view.layer + 1}"),
            ],
            together=True,
        )
    )
    positive = float((steps.hidden > 0).mean())
    view.draw_text(f"Of the {hidden} hidden numbers {percent(positive)} are above 0.")
    for what in ("mlp_out", "resid_post"):
        sections.draw_check(block.checks[what])


def stream(view: HeadView) -> None:
    """Draw the token through all blocks."""
    recorded = layer_activations.stream(view.choice)
    channels, norms = recorded.channels[:, view.query], recorded.norms[:, view.query]
    layers = view.trace.layers
    view.draw_text(
        f"**The residual stream.** {'{L=} blocks follow' if layers > 1 else '{L=} block follows'} each other, and each "
        f"adds to the stream. Below is {view.name(view.query)} as it enters the first block (top row) and as it leaves "
        f"each of the {layers} (row by row): its first {channels.shape[1]} dimensions. Its norm goes from "
        f"{number(float(norms[0]), 2)} to {number(float(norms[-1]), 2)}."
    )
    end = max(float(np.quantile(np.abs(channels), 0.99)), 1e-9)
    caption = f"Colours end at ±{number(end, 2)}, which 99 % of these numbers do not exceed; red is positive."
    image = drawing.heat(channels, signed=True, largest=end)
    st.html(
        f'<div class="vv-maps" style="--side:100%"><figure><img alt="Residual stream of {view.name(view.query)}" '
        f'src="{data_url(image)}" style="height:{min(len(channels), 26) * 0.75 + 1:.2f}rem">'
        f"<small>{caption}</small></figure></div>"
    )


def output(view: HeadView) -> None:
    """Draw the steps from the tokens to the output."""
    trace, config, steps = view.trace, view.trace.config, layer_activations.readout(view.choice)
    first = "After the last block a final norm is applied, and then " if config.final_norm else "After the last block "
    attended = (
        " Through attention it could collect from every patch, layer by layer."
        if config.pooling in ("token", "distilled", "token+mean")
        else ""
    )
    head = "the classifier" if trace.model.is_classifier else "the last map"
    becomes = f"what {head} turns into {config.num_classes} outputs" if config.num_classes else "what the model returns"
    normed = "is normalised and " if config.fc_norm else ""
    count = f"{steps.feature.shape[-1]} numbers"
    if config.pooling == "distilled" and config.num_classes:
        description = (
            f"two classifiers read one token each, the class token and the distillation token ({count} each); the mean "
            f"of their logits is the output"
        )
    else:
        description = f"{config.pooling_description} ({count}) {normed}is {becomes}"
    view.draw_text(f"**The output.** {first}{description}.{attended}")
    if config.pooling == "attention":
        maps = [(f"head {h + 1}", values[0]) for h, values in enumerate(_pool_maps(view))]
        st.html(drawing.maps(maps))
        st.caption("Where the pooling's heads look; each map's colours end at its own largest weight.")
    features = np.atleast_2d(steps.feature)
    names = (
        [f"of the {name}" for name in config.prefix_token_names]
        if len(features) > 1
        else ["what the output is made of"]
    )
    st.html(drawing.strips([("feature", *drawn) for drawn in zip(features, names, strict=True)]))
    for what, check in steps.checks.items():
        if config.final_norm or what != "tokens":  # without a final norm, these are the output of the last block
            sections.draw_check(check)
    if trace.model.is_classifier:
        prediction_bars(predictions(trace), one_of_all=trace.model.output_kind == "classes")


def _pool_maps(view: HeadView) -> np.ndarray:
    trace = view.trace
    weights = trace.attention("pool")[..., trace.prefix :]
    return weights.reshape(*weights.shape[:2], *trace.grid)
