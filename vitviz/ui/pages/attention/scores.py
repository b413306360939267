"""Sections 2 to 4 of the page "Attention": queries, keys and values; scores; softmax."""

from __future__ import annotations

import math

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from ....notation.marks import percent
from ....viz import figures
from ....viz.colour import ATTENTION, KEY, NEUTRAL, QUERY, colour_map
from ...app.messages import show_errors
from ...components.patches import Overlay
from ...widgets import drawing, symbols
from ...widgets.panels import CHART
from ...widgets.strips import number
from ...widgets.sums import decimals_needed, format_sum, in_brackets, round_consistently
from ..lesson import sections
from .head_view import HeadView, picker

TEMPERATURES = (0.0, 0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 4.0, 10.0, math.inf)
THIRDS = ((0.71, 1.0), (0.355, 0.645), (0.0, 0.29))  # of a chart's height, from the top
HALVES = ("first half", "second half")
NORMS = {
    "layer": "LayerNorm: every token is brought to mean 0 and spread 1, then each dimension gets a learned gain and "
    "shift",
    "rms": "RMSNorm: every token is divided by its root mean square, then each dimension gets a learned gain",
}


def queries_keys_values(view: HeadView) -> None:
    """Draw section 2: from the sequence to q, k and v."""
    steps, config, values = view.steps, view.trace.config, view.values
    tokens = view.trace.token_count
    before = config.prefix_token_names
    counted = f"{', '.join(before)} and {values['N']} patches" if before else f"{values['N']} patches"
    enters = (
        f"It is normalised first ({NORMS[config.norm]})."
        if steps.norm is not None
        else "This model normalises after attention, not before: attention reads the sequence as it is."
    )
    view.section(
        "2 · Query, key and value",
        f"The sequence {{X}} enters layer {view.layer + 1} as a matrix of {tokens} × {values['D']} numbers: "
        f"{counted}, {{D=}} numbers each. {enters} Then head {view.head + 1} has three maps of its own, "
        f"{{W_Q}}, {{W_K}} and {{W_V}}, each {values['D']} × {values['d']}, which turn every token into a query {{q}}, "
        "a key {k} and a value {v} of {d=} numbers.",
    )
    x = r"\hat{x}" if steps.norm is not None else "x"
    maps = zip("qkv", (steps.w_q, steps.w_k, steps.w_v), strict=True)
    lines = r" \\ ".join(
        rf"@{part} &= {x}\,@W_{part.upper()}" + (f" + b_{part.upper()}" if made.bias.any() else "")
        for part, made in maps
    )
    st.latex(symbols.formula(rf"\begin{{aligned}}{lines}\end{{aligned}}"))
    who = view.name(view.query)
    rows = [("{X}", steps.x[view.query], f"{who} as it enters")]
    if steps.norm is not None:
        rows.append(("norm", steps.entered[view.query], "after the norm"))
    turned = steps.angles is not None
    if turned:
        rows += [("{q} before", steps.q_before, "query, before it is turned")]
        rows += [("{k} before", steps.k_before[view.query], "key, before it is turned")]
    rows += [
        ("{q}", steps.q, "its query"),
        ("{k}", steps.k[view.query], "its key"),
        ("{v}", steps.v[view.query], "its value"),
    ]
    st.html(drawing.strips(rows))
    if steps.q_norm is None:
        biases = [float(steps.w_q.bias[0])] if steps.w_q.bias.any() else []
        total = float(np.dot(steps.entered[view.query], steps.w_q.weight[:, 0].astype(np.float64)))
        when = "before it is turned" if turned else "for example"
        view.draw_text(
            f"The first number of {{q}}, {when}, is the sum of {values['D']} products"
            f"{' and the bias' if steps.w_q.bias.any() else ''}: "
            f"{format_sum([total, *biases], float(steps.q_before[0]))}."
        )
    else:
        view.draw_text(
            "This model then normalises every query and every key once more, so that none is long only by chance."
        )
    if turned:
        view.draw_text(
            "Positions are **rotary** here: each pair of numbers of {q} and {k} is turned by an angle that depends on "
            f"the place of the patch, {_degrees(steps.angles[view.query])} for the first pairs of {who}. So their "
            "product depends on how far apart two patches are. Values are not turned."
        )
    for what in ("norm", "q", "k", "v"):
        if what in steps.checks:
            sections.draw_check(steps.checks[what])


def scores(view: HeadView) -> None:
    """Draw section 3: a query times every key."""
    steps, config, signed = view.steps, view.trace.config, view.signed
    halves = (
        " This model does so twice: {q} and {k} are two halves with a product and a softmax each, and the second will "
        "be taken away from the first (differential attention)."
        if signed
        else ""
    )
    bias = " A learned bias for the distance between the two places is added." if steps.bias is not None else ""
    view.section(
        "3 · Scores: a query meets every key",
        "The dot product of a query with a key is large where both have the same signs in the same dimensions. "
        f"Divided by the root of their number it is the **score**: how well that key answers.{bias}{halves} "
        "The map shows the score of every patch; click one to take its key (red frame) apart.",
    )
    channels = view.values["d"] // (2 if signed else 1)
    bias_tex = " + b" if steps.bias is not None else ""
    st.latex(symbols.formula(rf"s = \frac{{@q \cdot @k}}{{\sqrt{{{channels}}}}}{bias_tex}"))
    shown, half = steps.scores, 0
    if signed:
        chosen = st.segmented_control("Scores of the", HALVES, default=HALVES[0], key="half", required=True)
        half = HALVES.index(chosen or HALVES[0])
        shown = steps.scores[half]
    picker(
        view,
        _map_of(
            shown[view.trace.prefix :].reshape(view.trace.grid).astype(np.float32),
            f"Scores of {view.name(view.query)}, {view.head_label}{f', {HALVES[half]}' if signed else ''}, before the "
            "softmax",
        ),
        key="score_picker",
        choosing="key",
    )
    before = [f"{view.name(token)} {number(float(shown[token]))}" for token in range(view.trace.prefix)]
    if before:
        view.draw_text(f"Prefix tokens have scores, too: {', '.join(before)}.")
    view.draw_text(
        f"**Dimension by dimension:** the query of {view.name(view.query)} times the key of {view.name(view.key)}. "
        "In the bars red is positive, blue negative."
    )
    figure = _product_chart(steps.q, steps.k[view.key], signed)
    st.plotly_chart(figure, config=CHART, key="product", alt="Query, key and their product, dimension by dimension")
    products, results = np.atleast_1d(steps.product), np.atleast_1d(steps.score)
    for place, (total, score) in enumerate(zip(products, results, strict=True)):
        label = f"{HALVES[place].capitalize()}: the" if signed else "The"
        bias = [] if steps.bias is None else [float(np.atleast_1d(steps.bias[..., view.key])[0])]
        (summed, *added), result = round_consistently(
            [float(total), *bias], float(score), lambda parts: parts[0] / math.sqrt(channels) + sum(parts[1:])
        )
        added = f" + {in_brackets(added[0])} (bias)" if added else ""
        view.draw_text(f"{label} {channels} products sum to {summed}; {summed} / √{channels}{added} = **{result}**.")
    sections.draw_check(steps.checks["score"])
    sections.draw_check(steps.checks["scores"])
    if config.relative_position_bias:
        st.caption("The bias depends only on how the two places lie to each other, not on what is there.")


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


def shares(view: HeadView) -> None:
    """Draw section 4: the softmax."""
    steps, config, prefix = view.steps, view.trace.config, view.trace.prefix
    if view.signed:
        text = (
            "Softmax makes shares of scores: exp of each, divided by the sum of all. This is done for both halves, "
            f"and the second times λ = {number(steps.lam)}, a learned number, is taken away from the first. So "
            f"{{A}} has signs, and its row sums to 1 − λ = **{number(steps.row_sum)}**."
        )
        formula = r"@A = \mathrm{softmax}(s_1) - \lambda\,\mathrm{softmax}(s_2)"
    else:
        text = (
            "Softmax makes shares of scores: exp of each, divided by the sum of all. All are positive, large scores "
            f"win, and the {len(steps.weights)} weights {{A}} of this row sum to **{number(steps.row_sum)}**."
        )
        formula = r"@A_j = \frac{e^{s_j}}{\sum_i e^{s_i}}"
    view.section("4 · Softmax: scores become shares", text)
    st.latex(symbols.formula(formula))
    _strongest(view)
    if prefix:
        named = zip(config.prefix_token_names, steps.to_prefix, strict=True)
        patches = float(steps.weights[prefix:].sum())
        if view.signed:
            to_prefix = ", ".join(f"{name} {percent(float(share))}" for name, share in named)
            view.draw_text(f"Not all goes to patches: {to_prefix}; all patches together {percent(patches)}.")
        else:
            tints = [f"color-mix(in srgb, {NEUTRAL} {100 - 60 * place // prefix}%, #fff)" for place in range(prefix)]
            st.html(
                drawing.parts(
                    [(name, float(share), tint) for (name, share), tint in zip(named, tints, strict=True)]
                    + [("patches", patches, ATTENTION)]
                )
            )
    all_weights = st.expander("All weights, sorted", key="all_weights", on_change="rerun")
    if all_weights.open:  # a chart in a closed expander costs as much as in an open one
        names = [view.name(token) for token in range(view.trace.token_count)]
        figure = figures.sorted_weights(steps.weights, names, prefix, steps.row_sum / len(names))
        all_weights.plotly_chart(figure, config=CHART, key="weights_sorted", alt="Weights of this row, sorted")
    sections.draw_check(steps.checks["weights"])
    _temperature(view)


@st.fragment
@show_errors()
def _temperature(view: HeadView) -> None:
    """Draw the row at another temperature beside the model's."""
    steps, prefix, grid = view.steps, view.trace.prefix, view.trace.grid
    st.markdown(":orange-badge[what if] The model's temperature is 1. What if another one divided the scores?")
    temperature = st.select_slider(
        "Temperature",
        TEMPERATURES,
        1.0,
        format_func=lambda value: "∞" if math.isinf(value) else f"{value:g}",
        key="what_if_temperature",
    )
    other = steps.at_temperature(temperature)
    written = "∞" if math.isinf(temperature) else f"{temperature:g}"
    drawn = [
        ("the model, temperature 1", steps.weights[prefix:].reshape(grid)),
        (f"what if: temperature {written}", other[prefix:].reshape(grid)),
    ]
    st.html(drawing.maps(drawn, signed=view.signed, side="10rem"))
    top = int(np.argmax(np.abs(other)))
    st.caption(
        f"What if: the largest weight would be {percent(float(other[top]))} ({view.name(top)}); the row would still "
        f"sum to {number(float(other.sum()))}. Each map's colours end at its own largest weight of a patch."
    )


def _strongest(view: HeadView, count: int = 5) -> None:
    """Draw a table of the largest weights and the rest, from score to weight."""
    steps = view.steps
    order = np.argsort(-np.abs(steps.weights), kind="stable")
    shown, rest = order[:count], order[count:]
    if view.signed:
        first, second = steps.softmax.weights
        head = ("token", "softmax 1", "softmax 2", "weight")
        rows = [
            (view.name(int(t)), percent(first[t]), percent(second[t]), number(float(steps.weights[t]))) for t in shown
        ]
        rest_row = ("", percent(first[rest].sum()), percent(second[rest].sum()), number(steps.weights[rest].sum()))
        total = ("sum", percent(first.sum()), percent(second.sum()), number(steps.row_sum))
    else:
        exponentials, largest = steps.softmax.exponentials, float(steps.softmax.largest)
        cases = [([float(steps.scores[t]), largest], float(exponentials[t])) for t in shown]
        decimals = decimals_needed(cases, lambda parts: math.exp(parts[0] - parts[1]))
        head = ("token", "score s", f"exp(s − {in_brackets(number(largest, decimals))})", "weight")
        rows = [
            (
                view.name(int(t)),
                number(float(steps.scores[t]), decimals),
                number(float(exponentials[t])),
                drawing.bar(float(steps.weights[t] / steps.weights[order[0]]), percent(float(steps.weights[t]))),
            )
            for t in shown
        ]
        others = percent(float(steps.weights[rest].sum()))
        rest_row = ("", "", number(float(exponentials[rest].sum())), others)
        total = ("sum", "", number(float(steps.softmax.total)), percent(steps.row_sum))
    if len(rest):
        rows.append((f"the other {len(rest)}", *rest_row[1:]))
    st.html(drawing.table(head, rows, total))
    if not view.signed:
        st.caption(
            "The largest score is taken away first. That changes no share, and keeps exp small. Bars: the largest "
            "weight is full."
        )


def _degrees(angles: np.ndarray) -> str:
    return ", ".join(f"{number(math.degrees(angle), 1)}°" for angle in angles[:3])


def _product_chart(q: np.ndarray, k: np.ndarray, halves: bool = False) -> go.Figure:
    """Return a chart of a dot product by dimension: q, k and q × k, coloured by sign.

    Args:
        q: the query, [channel].
        k: the key, [channel].
        halves: whether the channels are two halves with separate products; a line divides them.
    """
    negative, positive = ("rgb({},{},{})".format(*colour_map("relative", True)[at]) for at in (40, 215))
    channel = np.arange(1, len(q) + 1)
    drawn = (("q", q, QUERY, ""), ("k", k, KEY, "2"), ("q × k", q * k, ATTENTION, "3"))
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
