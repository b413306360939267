"""How long tokens are, which of them stand out, and how much attention those draw."""

from __future__ import annotations

import numpy as np
import streamlit as st

from ....analysis import tokens
from ....notation.marks import percent
from ....notation.view import token_words
from ....viz.colour import ATTENTION, KEY, NEUTRAL, QUERY, VALUE
from ....viz.layer_lines import Line, over_layers
from ...components.patches import Overlay, patch_picker
from ...widgets import drawing, panels
from ...widgets.strips import number
from ..lesson import following
from ..lesson.sections import section
from . import cached, look
from .settings import OUTLIER_TIMES

COLOURS = (QUERY, "#d97706", "#0b7285", "#c2188f", NEUTRAL)  # of the tokens before the patches
NAMED = 8  # outliers that are named; a line of more nobody reads


def lengths(seen: look.Look) -> None:
    """The section."""
    section(
        "Norms, and tokens that stand out",
        "The norm is the length of a token. Large models turn a few patches that say little into registers: tokens "
        "some ten times as long as the others, which draw much attention and hold notes on the whole image ([Darcet et "
        "al. 2024](https://arxiv.org/abs/2309.16588)). Small models often have none.",
    )
    words = "An outlier is longer than … × the median"
    times = OUTLIER_TIMES.draw(st.slider, words, 1.2, 10.0, step=0.1, width=360)
    measured = cached.norms(seen.choice)
    found = tokens.outliers_in(measured[1 + seen.layer], seen.trace.prefix, times)
    with st.container(horizontal=True, gap="large"):
        with st.container(width=460):
            large(seen, found)
        with st.container(width="stretch"):
            outliers(seen, found)
    left, right = st.columns(2, gap="large")
    with left:
        over_all_layers(seen, measured)
    with right:
        attention_drawn(seen, found)


def large(seen: look.Look, found: tokens.Outliers) -> None:
    """The norms of the chosen layer over the photo."""
    overlay = Overlay(
        found.norms.reshape(seen.trace.grid),
        f"Norms of the patches' tokens {seen.where}",
        format=lambda value: number(value, 2),
    )
    picture, grid = seen.picture(), seen.trace.grid
    patch_picker(
        picture, seen.name, grid, seen.patch, on_choose=following.choose_patch, overlay=overlay, key="norm_picker"
    )


def outliers(seen: look.Look, found: tokens.Outliers) -> None:
    """The rule, and what it finds in the chosen layer."""
    st.markdown(
        f"**Rule**: a patch is an outlier if its norm exceeds both **{found.times:.1f} × the median** and the **median "
        f"+ {found.spreads:.0f} × the spread** (1.4826 × the median distance from the median). "
        f"{seen.where.capitalize()} the median is {number(found.median, 2)} and the spread {number(found.spread, 2)}: "
        f"the norm has to exceed {number(found.threshold, 2)}."
    )
    longest = seen.trace.prefix + int(found.norms.argmax())
    largest = float(found.norms.max())
    ratio = f"{largest / found.median:.2f} × the median" if found.median else "the median is 0"
    if not found.tokens:
        st.markdown(
            f"**No outlier {seen.where}.** The longest token is that of {token_words(seen.trace, longest)}: "
            f"{number(largest, 2)}, {ratio}."
        )
        if seen.trace.config.block == "post":
            st.caption("This model normalises its tokens at the end of every block, so that they are about as long.")
        return
    names = [token_words(seen.trace, token) for token in found.tokens[:NAMED]]
    more = f" and {len(found.tokens) - NAMED} more" if len(found.tokens) > NAMED else ""
    stand = "stands" if len(found.tokens) == 1 else "stand"
    st.markdown(
        f"**{len(found.tokens)} of {found.norms.size} patches {stand} out {seen.where}**, up to {ratio}: "
        f"{', '.join(names)}{more}."
    )
    side, (rows, columns) = seen.trace.config.patch_size, seen.trace.grid
    frames = [
        drawing.frame(divmod(token - seen.trace.prefix, columns), side, colour, side * stroke)
        for token in found.tokens
        for colour, stroke in (("#fff", 0.22), (KEY, 0.12))
    ]
    alt = f"{seen.name}, with a red frame around each outlier {seen.where}"
    st.html(drawing.on_image(seen.picture(), (columns * side, rows * side), frames, alt))


def over_all_layers(seen: look.Look, measured: np.ndarray) -> None:
    """Median, 99 % and maximum of the norms of the patches, and the norm of each token before them."""
    prefix = seen.trace.prefix
    panels.panel("Norms over the layers", "Of the patches; layer 0 is what enters the first block. Logarithmic.")
    of_patches = measured[:, prefix:]
    lines = [
        Line("median", np.median(of_patches, axis=1), ATTENTION),
        Line("99 %", np.percentile(of_patches, 99, axis=1), VALUE, "dash"),
        Line("longest", of_patches.max(axis=1), KEY, "dot"),
        *(
            Line(name, measured[:, token], COLOURS[token % len(COLOURS)])
            for token, name in enumerate(seen.trace.config.prefix_token_names)
        ),
    ]
    figure = over_layers(lines, "norm", first=0, shown=seen.layer + 1, log=True)
    st.plotly_chart(figure, config=panels.CHART, key="norms", alt="Norms of the tokens over the layers")


def attention_drawn(seen: look.Look, found: tokens.Outliers) -> None:
    """The share of each layer's attention that goes to the outliers, or to the longest token."""
    shares, prefix = cached.received(seen.choice), seen.trace.prefix
    chosen = list(found.tokens) or [prefix + int(found.norms.argmax())]
    what = f"the {len(chosen)} outliers" if len(chosen) > 1 else "the outlier" if found.tokens else "the longest token"
    even = len(chosen) / seen.trace.token_count
    signs = " Weights count by their size, whatever their sign." if seen.trace.config.differential else ""
    names = seen.trace.config.prefix_token_names
    before = names[0] if prefix == 1 else f"{prefix} tokens before the patches together"
    dashed = f" Dashed: the {before}." if prefix else ""
    panels.panel(
        f"Attention that goes to {what}",
        f"Mean of all heads and queries of each layer, for {what} {seen.where}; even attention would give "
        f"{percent(even)}.{dashed}{signs}",
    )
    lines = [
        Line(what, 100 * shares[:, chosen].sum(axis=1), KEY),
        Line("even", np.full(len(shares), 100 * even), NEUTRAL, "dot"),
    ]
    if prefix:
        lines.append(Line(before, 100 * shares[:, :prefix].sum(axis=1), QUERY, "dash"))
    figure = over_layers(lines, "share of attention, %", first=1, shown=seen.layer + 1, unit=" %")
    st.plotly_chart(figure, config=panels.CHART, key="drawn", alt=f"Share of attention that goes to {what}")
