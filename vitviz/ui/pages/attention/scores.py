"""Section 3 of the page "Attention": the scores of a query with all keys."""

from __future__ import annotations

import math

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from ....notation.marks import percent
from ....viz.colour import ATTENTION, KEY, NEUTRAL, QUERY, colour_map
from ....walkthrough.steps.measures import with_and_without_scale
from ...components.patches import Overlay
from ...widgets import drawing, symbols
from ...widgets.charts import draw_chart
from ...widgets.strips import number
from ...widgets.sums import in_brackets, round_consistently
from ..lesson import sections
from . import formulas
from .head_view import HeadView, choose_key, picker, why

THIRDS = ((0.71, 1.0), (0.355, 0.645), (0.0, 0.29))  # of a chart's height, from the top
HALVES = ("first half", "second half")


def scores(view: HeadView) -> None:
    """Draw section 3: a query times every key."""
    steps, signed = view.steps, view.signed
    halves = (
        " In this model {q} and {k} consist of two halves with separate scores: **differential attention**."
        if signed
        else ""
    )
    bias = " A learned bias for the offset between the two positions is added." if steps.bias is not None else ""
    channels = view.values["d"] // (2 if signed else 1)
    view.section(
        "3 · Scores: a query meets every key",
        f"The **score** of a key is its dot product with the query, divided by {_root(view)}: large if both vectors "
        f"point in a similar direction.{bias}{halves} Click a patch to see its key.",
    )
    st.latex(symbols.formula(formulas.score(steps, channels)))
    shown, half = steps.scores, 0
    if signed:
        chosen = st.segmented_control("Scores of the", HALVES, default=HALVES[0], key="half", required=True)
        half = HALVES.index(chosen or HALVES[0])
        shown = steps.scores[half]
    left, right = st.columns(2, gap="medium")
    with left:
        picker(
            view,
            _map_of(
                shown[view.trace.prefix :].reshape(view.trace.grid).astype(np.float32),
                f"Scores of {view.name(view.query)}, {view.head_label}{f', {HALVES[half]}' if signed else ''}",
            ),
            key="score_picker",
            choosing="key",
        )
    with right:
        choose_key(view)
        with st.container(key="score_of"):
            view.draw_text(f"The query of {view.the(view.query)} times the key of {view.the(view.key)}:")
        figure = _product_chart(steps.q, steps.k[view.key], signed)
        draw_chart(figure, "product", "Query, key and their product, dimension by dimension")
        _sums(view, channels)
    before = [f"{view.name(token)} {number(float(shown[token]))}" for token in range(view.trace.prefix)]
    if before:
        st.caption(f"Not on the map, which shows patches: {', '.join(before)}.")
    _why_scale(view, channels)
    sections.draw_checks([steps.checks["score"], steps.checks["scores"]], "scores")


def _sums(view: HeadView, channels: int) -> None:
    """Draw the score of the chosen key as a sum."""
    steps = view.steps
    products, results = np.atleast_1d(steps.product), np.atleast_1d(steps.score)
    for place, (total, score) in enumerate(zip(products, results, strict=True)):
        label = f"{HALVES[place].capitalize()}: the" if view.signed else "The"
        bias = [] if steps.bias is None else [float(steps.bias[view.key])]
        (summed, *added), result = round_consistently(
            [float(total), *bias], float(score), lambda parts: parts[0] / math.sqrt(channels) + sum(parts[1:])
        )
        added = f" + {in_brackets(added[0])} (bias)" if added else ""
        view.draw_text(f"{label} {channels} products sum to {summed}; {summed} / √{channels}{added} = **{result}**.")


def _root(view: HeadView) -> str:
    """Return the divisor of the dot products; each half has half of the numbers in differential attention."""
    return "√(d/2)" if view.signed else "√d"


def _why_scale(view: HeadView, channels: int) -> None:
    """Draw the distribution of scores and weights with and without the division by sqrt(d)."""
    count = view.trace.token_count
    with why("scale", f"Why divide by {_root(view)}?"):
        view.draw_text(
            f"A sum of {channels} independent products has a standard deviation √{channels} times that of one product. "
            f"Undivided, scores would grow with this number, and softmax would saturate: nearly all weight for few "
            "keys. Measured here:"
        )
        rows = []
        for half in range(2 if view.signed else 1):
            divided, plain = with_and_without_scale(view.steps, half)
            of = f", {HALVES[half]}" if view.signed else ""
            rows += [
                (name, number(one.std, 2), f"{number(one.entropy, 2)} bit", percent(one.largest))
                for name, one in ((f"divided by √{channels}{of}", divided), (f"not divided{of}", plain))
            ]
        st.html(drawing.table(("", "standard deviation of scores", "entropy of weights", "largest weight"), rows))
        st.caption(f"Uniform weights would have {number(math.log2(count), 2)} bit.")


def _map_of(scores: np.ndarray, caption: str) -> Overlay:
    """Return a map of scores, centred on 0 or, if all have the same sign, from the lowest to the highest."""

    def format_score(value: float) -> str:
        return number(value, 2)

    lowest, highest = float(scores.min()), float(scores.max())
    if lowest < 0 < highest or lowest in (0, highest):
        return Overlay(scores, caption, signed=True, format=format_score)
    return Overlay(
        scores, f"{caption}; from the lowest to the highest", lowest=lowest, largest=highest, format=format_score
    )


def _product_chart(q: np.ndarray, k: np.ndarray, halves: bool = False) -> go.Figure:
    """Return a chart of a dot product by dimension: q, k and their products, coloured by sign.

    Args:
        q: the query, [channel].
        k: the key, [channel].
        halves: whether the channels are two halves with separate products; a line divides them.
    """
    negative, positive = ("rgb({},{},{})".format(*colour_map("relative", True)[at]) for at in (40, 215))
    channel = np.arange(1, len(q) + 1)
    drawn = (("q", q, QUERY, ""), ("k", k, KEY, "2"), ("qᵢkᵢ", q * k, ATTENTION, "3"))
    bars = [
        go.Bar(
            x=channel,
            y=values,
            yaxis=f"y{axis}",
            marker_color=np.where(values < 0, negative, positive),
            marker_line_width=0,
            hovertemplate=f"dimension %{{x}}<br>{name} = %{{y:.4f}}<extra></extra>",
            showlegend=False,
        )
        for name, values, _, axis in drawn
    ]
    axes = {
        f"yaxis{axis}": {"title": {"text": f"<b>{name}</b>", "font": {"color": colour}}, "nticks": 4, "domain": domain}
        for (name, _, colour, axis), domain in zip(drawn, THIRDS, strict=True)
    }
    middle = {"type": "line", "x0": len(q) / 2 + 0.5, "x1": len(q) / 2 + 0.5, "yref": "paper", "y0": 0, "y1": 1}
    return go.Figure(  # built in one call, which is much faster than adding traces
        bars,
        {
            **axes,
            "xaxis": {"title": "dimension", "anchor": "y3"},
            "shapes": [middle | {"line": {"color": NEUTRAL, "dash": "dot"}}] if halves else [],
            "height": 360,
            "margin": {"l": 10, "r": 10, "t": 10, "b": 10},
            "bargap": 0.15,
        },
    )
