"""Charts of the attention weights and head statistics, with explanations."""

import numpy as np
import streamlit as st

from ...analysis.attention import HeadStatistics, patch_distances
from ...notation.marks import percent
from ...notation.view import View, token_label
from ...trace.trace import Trace
from ...viz import figures
from .charts import draw_chart


def view_charts(trace: Trace, view: View) -> None:
    """Draw the sorted weights of the view, and the attention matrix that contains them."""
    left, right = st.columns(2, gap="large")
    with left:
        weights_in_order(trace, view)
    with right:
        if view.is_pool(trace):
            panel(
                f"No matrix: {view.head_label(trace)}",
                "The pooling has one learned query, which is the same for every image. Its attention matrix is the "
                "single row of weights shown on the left.",
            )
        else:
            whole_matrix(trace, view)


def head_charts(trace: Trace, view: View, statistics: HeadStatistics) -> None:
    """Draw the mean attention distance and the attention entropy of all heads, without the pooling."""
    left, right = st.columns(2, gap="large")
    with left:
        distances(trace, view, statistics.distance)
    with right:
        if statistics.entropy is None:
            panel(
                "Attention entropy",
                "Entropy requires non-negative weights. This model uses differential attention, the difference of two "
                "softmaxes, so some of its weights are negative.",
            )
        else:
            entropies(trace, view, statistics.entropy)


def weights_in_order(trace: Trace, view: View) -> None:
    """Draw the weights of the view in descending order."""
    weights, signed = view.weights(trace), trace.config.differential
    names = [token_label(trace, token) for token in range(trace.token_count)]
    reading = figures.describe_concentration(weights, names, view.effective_direction(trace), signed)
    panel("Weights, sorted", f"{view.label(trace)}, {view.direction_label(trace)}: {reading}")
    uniform = trace.row_sum(view.attention_layer(trace)) / view.num_keys(trace)
    figure = figures.sorted_weights(weights, names, trace.prefix, uniform)
    draw_chart(figure, "sorted", "Weights, sorted")


def whole_matrix(trace: Trace, view: View) -> None:
    """Draw the attention matrix of the view's head."""
    matrix, signed = view.matrix(trace), trace.config.differential
    limit = figures.colour_limit(matrix)
    total = f"1 − λ = {percent(trace.row_sum(view.layer))}" if signed else "100 %"
    lines = "The prefix tokens are above and left of the orange lines. " if trace.prefix else ""
    ends = "Red is positive, blue negative; full colour at ±" if signed else "Full brightness at "
    panel(
        f"Attention matrix: {view.head_label(trace)}",
        f"Rows are queries, columns are keys; each row sums to {total}. {lines}"
        f"{ends}{percent(limit)} and above (0.5 % of all weights).",
    )
    figure = figures.matrix(matrix, trace.prefix, limit, signed)
    draw_chart(figure, "matrix", "Attention weights of this head, every query and key")


def distances(trace: Trace, view: View, distance: np.ndarray) -> None:
    """Draw the mean attention distances, [layer, head]."""
    signs = "Weights count by absolute value. " if trace.config.differential else ""
    panel(
        "Mean attention distance",
        "Each dot is a head: low values mean local attention, high values global attention. In the original ViT, early "
        "layers had both kinds of heads, and late layers were mostly global (Dosovitskiy et al. 2021, figure 11). "
        f"{signs}Dotted line: uniform attention.",
    )
    uniform = float(patch_distances(trace.grid, trace.config.patch_size).mean())
    figure = figures.by_layer(distance, "mean distance, px", view.layer, view.head, uniform, "uniform")
    draw_chart(figure, "distance", "Mean attention distance of every head by layer")


def entropies(trace: Trace, view: View, entropy: np.ndarray) -> None:
    """Draw the attention entropies, [layer, head]."""
    panel(
        "Attention entropy",
        "Mean entropy of a head's rows. At 0 bit, each token attends to one token only. Dotted line: uniform.",
    )
    uniform = float(np.log2(trace.token_count))
    figure = figures.by_layer(entropy, "entropy, bit", view.layer, view.head, uniform, "uniform")
    draw_chart(figure, "entropy", "Entropy of every head by layer")


def panel(title: str, reading: str) -> None:
    """Draw the title and the explanation of a chart."""
    st.markdown(f"**{title}**  \n{reading}")
