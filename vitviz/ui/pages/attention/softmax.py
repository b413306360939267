"""Section 4 of the page "Attention": softmax turns scores into weights."""

from __future__ import annotations

import math

import numpy as np
import streamlit as st

from ....notation.marks import percent
from ....viz import figures
from ....viz.colour import ATTENTION, NEUTRAL
from ...app import state
from ...app.messages import show_errors
from ...widgets import drawing, symbols
from ...widgets.charts import draw_chart
from ...widgets.strips import number
from ...widgets.sums import decimals_needed, in_brackets
from ..lesson import sections
from ..lesson.prediction import SKIPPED, predicted
from . import head_view
from .head_view import HeadView

TEMPERATURES = (0.0, 0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 4.0, 10.0, math.inf)
LISTED = 3  # of the largest weights
GROWS, SHRINKS, STAYS = "It grows", "It shrinks", "It stays the same"


def weights(view: HeadView) -> None:
    """Draw section 4: from scores to weights."""
    steps, prefix = view.steps, view.trace.prefix
    if view.signed:
        text = (
            "Softmax turns scores into weights: exp of each score, divided by the sum of all. Differential attention "
            f"does this for both halves and subtracts the second, times a learned λ = {number(steps.lam)}, from the "
            f"first. So {{A}} has signs, and its row sums to 1 − λ = **{number(steps.row_sum)}**."
        )
        formula = r"@A = \mathrm{softmax}(s_1) - \lambda\,\mathrm{softmax}(s_2)"
    else:
        text = (
            "Softmax turns scores into positive attention weights {A}: exp of each score, divided by the sum of all "
            f"{len(steps.weights)}. Each weight is the **probability** that the query meant this key; they sum to "
            f"**{number(steps.row_sum)}**."
        )
        formula = r"@A_j = \mathrm{softmax}(s)_j = \frac{e^{s_j}}{\sum_i e^{s_i}}"
    view.section("4 · Softmax: scores become weights", text)
    st.latex(symbols.formula(formula))
    if prefix:
        _prefix_and_patches(view)
    _temperature(view.choice)
    all_weights = st.expander("All weights, by hand", key="all_weights", on_change="rerun")
    with all_weights:
        _strongest(view)
    if all_weights.open:  # a chart in a closed expander costs as much as in an open one
        names = [view.name(token) for token in range(view.trace.token_count)]
        figure = figures.sorted_weights(steps.weights, names, prefix, steps.row_sum / len(names))
        draw_chart(figure, "weights_sorted", "Weights of this row, sorted", all_weights)
    sections.draw_checks([steps.checks["weights"]], "softmax")


def _prefix_and_patches(view: HeadView) -> None:
    """Draw the shares of the prefix tokens and of all patches."""
    steps, prefix = view.steps, view.trace.prefix
    named = list(zip(view.trace.config.prefix_token_names, steps.to_prefix, strict=True))
    patches = float(steps.weights[prefix:].sum())
    if view.signed:
        to_prefix = ", ".join(f"{name} {percent(float(share))}" for name, share in named)
        view.draw_text(f"In total: {to_prefix}, all patches {percent(patches)}.")
        return
    tints = [f"color-mix(in srgb, {NEUTRAL} {100 - 60 * place // prefix}%, #fff)" for place in range(prefix)]
    st.html(
        drawing.parts(
            [(name, float(share), tint) for (name, share), tint in zip(named, tints, strict=True)]
            + [("patches", patches, ATTENTION)]
        )
    )


@st.fragment
@show_errors()
def _temperature(choice: state.Choice) -> None:
    """Draw the row at another temperature beside the model's, after a prediction.

    The view is looked up, because Streamlit keeps the arguments of a fragment.
    """
    view = head_view.current(choice)
    st.markdown(":orange-badge[what if] The scores can be divided by a temperature T. The model uses T = 1.")
    steps, prefix, grid = view.steps, view.trace.prefix, view.trace.grid
    if not view.signed:  # negative weights have no simple rule
        chosen = predicted("temperature", "T grows: what happens to the largest weight?", (GROWS, SHRINKS, STAYS))
        if chosen is None:
            return
        if chosen != SKIPPED:
            _compare(chosen, [float(steps.at_temperature(one).max()) for one in (1.0, 2.0)])
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
        ("the model, T = 1", steps.weights[prefix:].reshape(grid)),
        (f"what if T = {written}", other[prefix:].reshape(grid)),
    ]
    largest = float(np.abs(drawn[0][1]).max())
    st.html(drawing.maps(drawn, signed=view.signed, side="10rem", largest=largest))
    top = int(np.argmax(np.abs(other)))
    with st.container(key="temperature_row"):
        st.caption(
            f"T = {written}: largest weight {percent(float(other[top]))} ({view.name(top)}), sum "
            f"{number(float(other.sum()))}. One scale for both maps."
        )


def _compare(chosen: str, largest: list[float]) -> None:
    """Compare the prediction with the largest weights at T = 1 and T = 2."""
    one, two = largest
    found = STAYS if math.isclose(one, two, rel_tol=1e-6) else GROWS if two > one else SHRINKS
    with st.container(key="prediction_temperature"):
        st.markdown(
            f"{'Yes' if chosen == found else 'Not quite'}: from {percent(one)} at T = 1 to {percent(two)} at T = 2."
        )


def _strongest(view: HeadView, count: int = LISTED) -> None:
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
        st.caption("Subtracting the largest score first changes no weight and avoids overflow.")
