"""The numbers behind the explorer's picture, as charts with a sentence on how to read each."""

import numpy as np
import streamlit as st

from ...analysis.attention import HeadStatistics, patch_distances
from ...notation.marks import percent
from ...notation.view import View, token_label
from ...trace.trace import Trace
from ...viz import figures

CHART = {"displayModeBar": False}  # its buttons would cover the legend


def of_view(trace: Trace, view: View) -> None:
    """What the view shows: its weights in order, and the matrix that they are a part of."""
    left, right = st.columns(2, gap="large")
    with left:
        weights_in_order(trace, view)
    with right:
        if view.is_pool(trace):
            panel(
                f"No matrix: {view.head_label(trace)}",
                "The pooling asks with one query, which the model has learned and which is the same for every image. "
                "Its matrix is the one row of weights that is shown beside this.",
            )
        else:
            whole_matrix(trace, view)


def of_model(trace: Trace, view: View, statistics: HeadStatistics) -> None:
    """How far and how widely every head of every layer looks; a pooling is not counted."""
    left, right = st.columns(2, gap="large")
    with left:
        distances(trace, view, statistics.distance)
    with right:
        if statistics.entropy is None:
            panel(
                "How widely heads spread",
                "That is measured by entropy, which only weights that are all positive have. This model takes one "
                "attention away from another, so some of its weights are negative.",
            )
        else:
            entropies(trace, view, statistics.entropy)


def weights_in_order(trace: Trace, view: View) -> None:
    """The weights of the view, from the largest to the smallest."""
    weights, signed = view.weights(trace), trace.config.differential
    names = [token_label(trace, token) for token in range(trace.token_count)]
    reading = figures.describe_concentration(weights, names, view.effective_direction(trace), signed)
    panel("Weights, sorted", f"{view.label(trace)}, {view.direction_label(trace)}: {reading}")
    uniform = trace.row_sum(view.attention_layer(trace)) / view.num_keys(trace)
    figure = figures.sorted_weights(weights, names, trace.prefix, uniform)
    st.plotly_chart(figure, config=CHART, key="sorted", alt="Weights, sorted")


def whole_matrix(trace: Trace, view: View) -> None:
    """All weights of the view's head."""
    matrix, signed = view.matrix(trace), trace.config.differential
    limit = figures.colour_limit(matrix)
    total = f"1 − λ = {percent(trace.row_sum(view.layer))}" if signed else "100 %"
    lines = "Above and left of the red lines are the tokens before the patches. " if trace.prefix else ""
    ends = "Red is positive, blue negative; the colours end at ±" if signed else "Brightest: "
    panel(
        f"The whole matrix: {view.head_label(trace)}",
        f"Row: who looks; column: who is looked at; each row sums to {total}. {lines}"
        f"{ends}{percent(limit)} and more (0.5 % of all weights).",
    )
    figure = figures.matrix(matrix, trace.prefix, limit, signed)
    st.plotly_chart(figure, config=CHART, key="matrix", alt="Attention weights of this head, every query and key")


def distances(trace: Trace, view: View, distance: np.ndarray) -> None:
    """Mean attention distances [layer, head]."""
    signs = "Weights count by their size, whatever their sign. " if trace.config.differential else ""
    panel(
        "How far heads look",
        "Each dot is a head: low ones look nearby, high ones far. In the first ViTs the early layers had both and "
        f"the late ones looked far (Dosovitskiy et al. 2021, figure 11). {signs}Dotted: looking at all patches alike.",
    )
    uniform = float(patch_distances(trace.grid, trace.config.patch_size).mean())
    figure = figures.by_layer(distance, "mean distance, px", view.layer, view.head, uniform, "uniform")
    st.plotly_chart(figure, config=CHART, key="distance", alt="Mean attention distance of every head by layer")


def entropies(trace: Trace, view: View, entropy: np.ndarray) -> None:
    """Mean entropies [layer, head]."""
    panel(
        "How widely heads spread",
        "Mean entropy of a head's rows. At 0 bit every patch looks at one token only; at the dotted line "
        "at all of them alike.",
    )
    uniform = float(np.log2(trace.token_count))
    figure = figures.by_layer(entropy, "entropy, bit", view.layer, view.head, uniform, "uniform")
    st.plotly_chart(figure, config=CHART, key="entropy", alt="Entropy of every head by layer")


def panel(title: str, reading: str) -> None:
    """A chart's title and how to read it."""
    st.markdown(f"**{title}**  \n{reading}")
