"""Norms of the tokens, outliers, and the attention that outliers receive."""

from __future__ import annotations

import numpy as np
import streamlit as st

from ....analysis import tokens
from ....notation.marks import percent
from ....notation.view import token_label
from ....viz.colour import ATTENTION, KEY, NEUTRAL, QUERY, VALUE
from ....viz.layer_lines import Line, over_layers
from ...components.patches import Overlay, patch_picker
from ...widgets import drawing, panels
from ...widgets.charts import draw_chart
from ...widgets.strips import number
from ..lesson import followed_token
from ..lesson.sections import section
from . import token_analyses
from .settings import OUTLIER_TIMES
from .tokens_view import TokensView

COLOURS = ("#2f81f7", "#e5484d", "#0b7285", "#c2188f", NEUTRAL)  # of the prefix tokens
NAMED = 8  # maximum number of outliers to list


def draw(view: TokensView) -> None:
    """Draw the section."""
    section(
        "Norms and outlier tokens",
        "Large models use a few uninformative patches as registers: their tokens have about ten times the norm of the "
        "others, receive much attention and store information on the whole image ([Darcet et al. "
        "2024](https://arxiv.org/abs/2309.16588)). Small models often have none.",
    )
    label = "Outliers: norm above … × the median"
    times = OUTLIER_TIMES.draw(st.slider, label, 1.2, 10.0, step=0.1, width=360)
    measured = token_analyses.norms(view.choice)
    result = tokens.outliers_in(measured[1 + view.layer], view.trace.prefix, times)
    with st.container(horizontal=True, gap="large"):
        with st.container(width=460):
            large(view, result)
        with st.container(width="stretch", key="outliers" if result.tokens else "no_outliers"):
            outliers(view, result)
    left, right = st.columns(2, gap="large")
    with left:
        over_all_layers(view, measured)
    with right:
        attention_received(view, result)


def large(view: TokensView, result: tokens.Outliers) -> None:
    """Draw the norms of the chosen layer over the image."""
    overlay = Overlay(
        result.norms.reshape(view.trace.grid),
        f"Norms of the patch tokens {view.layer_label}",
        format=lambda value: number(value, 2),
    )
    picture, grid = view.picture(), view.trace.grid
    patch_picker(
        picture, view.name, grid, view.patch, on_choose=followed_token.follow_patch, overlay=overlay, key="norm_picker"
    )


def outliers(view: TokensView, result: tokens.Outliers) -> None:
    """Draw the rule and the outliers of the chosen layer."""
    st.markdown(
        f"**Rule**: a patch is an outlier if its norm exceeds both **{result.times:.1f} × the median** and the "
        f"**median + {result.num_stds:.0f} × the robust standard deviation** (1.4826 × the median absolute deviation). "
        f"{view.layer_label.capitalize()} the median is {number(result.median, 2)}, the robust standard deviation "
        f"{number(result.std, 2)} and the threshold {number(result.threshold, 2)}."
    )
    longest = view.trace.prefix + int(result.norms.argmax())
    largest = float(result.norms.max())
    ratio = f"{largest / result.median:.2f} × the median" if result.median else "the median is 0"
    if not result.tokens:
        st.markdown(
            f"**No outlier {view.layer_label}.** The largest norm is that of {token_label(view.trace, longest)}: "
            f"{number(largest, 2)}, {ratio}."
        )
        if view.trace.config.block == "post":
            st.caption("This model normalises its tokens at the end of every block, so their norms are similar.")
        return
    names = [token_label(view.trace, token) for token in result.tokens[:NAMED]]
    more = f" and {len(result.tokens) - NAMED} more" if len(result.tokens) > NAMED else ""
    noun = "outlier" if len(result.tokens) == 1 else "outliers"
    st.markdown(
        f"**{len(result.tokens)} {noun} of {result.norms.size} patches {view.layer_label}**, up to {ratio}: "
        f"{', '.join(names)}{more}."
    )
    side, (rows, columns) = view.trace.config.patch_size, view.trace.grid
    frames = [
        drawing.frame(divmod(token - view.trace.prefix, columns), side, colour, side * stroke)
        for token in result.tokens
        for colour, stroke in (("#fff", 0.22), (KEY, 0.12))
    ]
    alt = f"{view.name}, with an orange frame around each outlier {view.layer_label}"
    st.html(drawing.on_image(view.picture(), (columns * side, rows * side), frames, alt))


def over_all_layers(view: TokensView, measured: np.ndarray) -> None:
    """Draw median, 99th percentile and maximum of the patch norms, and the norm of each prefix token."""
    prefix = view.trace.prefix
    panels.panel("Norms by layer", "Patch tokens; layer 0 is the input of the first block. Logarithmic scale.")
    of_patches = measured[:, prefix:]
    lines = [
        Line("median", np.median(of_patches, axis=1), ATTENTION),
        Line("99th percentile", np.percentile(of_patches, 99, axis=1), VALUE, "dash"),
        Line("maximum", of_patches.max(axis=1), KEY, "dot"),
        *(
            Line(name, measured[:, token], COLOURS[token % len(COLOURS)])
            for token, name in enumerate(view.trace.config.prefix_token_names)
        ),
    ]
    figure = over_layers(lines, "norm", first=0, shown=view.layer + 1, log=True)
    draw_chart(figure, "norms", "Norms of the tokens by layer")


def attention_received(view: TokensView, result: tokens.Outliers) -> None:
    """Draw the share of each layer's attention to the outliers, or to the token with the largest norm."""
    shares, prefix = token_analyses.received(view.choice), view.trace.prefix
    chosen = list(result.tokens) or [prefix + int(result.norms.argmax())]
    one = "the outlier" if result.tokens else "the token with the largest norm"
    what = f"the {len(chosen)} outliers" if len(chosen) > 1 else one
    uniform = len(chosen) / view.trace.token_count
    signs = " Absolute values of the weights." if view.trace.config.differential else ""
    names = view.trace.config.prefix_token_names
    special = names[0] if prefix == 1 else f"{prefix} special tokens together"
    dashed = f" Dashed: the {special}." if prefix else ""
    with st.container(key="attention_received"):
        panels.panel(
            f"Attention to {what}",
            f"Mean over all heads and queries of each layer, for {what} {view.layer_label}. Uniform attention: "
            f"{percent(uniform)}.{dashed}{signs}",
        )
    lines = [
        Line(what, 100 * shares[:, chosen].sum(axis=1), KEY),
        Line("uniform", np.full(len(shares), 100 * uniform), NEUTRAL, "dot"),
    ]
    if prefix:
        lines.append(Line(special, 100 * shares[:, :prefix].sum(axis=1), QUERY, "dash"))
    figure = over_layers(lines, "share of attention, %", first=1, shown=view.layer + 1, unit=" %")
    draw_chart(figure, "drawn", f"Share of attention to {what}")
