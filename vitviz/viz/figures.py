"""Plotly charts of attention weights and of statistics per head."""

import numpy as np
import plotly.graph_objects as go

from ..errors import ArgumentError
from ..errors.arguments import array, number, typed, whole
from ..notation.marks import percent
from ..notation.view import Direction
from .colour import ATTENTION, KEY, NEUTRAL, paint, plotly_scale, tone

HOVERABLE = 600  # tokens; larger matrices are drawn as an image, because hover labels for a million cells are too slow


@typed
def sorted_weights(weights: np.ndarray, names: list[str], prefix: int, uniform: float | None = None) -> go.Figure:
    """Draw the weights of one view in descending order, with a line for uniform attention.

    Args:
        weights: attention weights, [token].
        names: name of each token.
        prefix: number of prefix tokens, which are marked.
        uniform: weight of each token under uniform attention; 1 / tokens if None.
    """
    weights = _named_weights(weights, names)
    prefix = whole(prefix, 0, len(weights), "The number of prefix tokens")
    order = np.argsort(-weights, kind="stable")
    rank = np.arange(1, len(order) + 1)
    figure = go.Figure()
    for label, colour, size, chosen in (
        ("patches", ATTENTION, 5, order >= prefix),
        ("prefix tokens", KEY, 9, order < prefix),
    ):
        if chosen.any():
            figure.add_scatter(
                x=rank[chosen],
                y=100 * weights[order[chosen]],
                text=[names[token] for token in order[chosen]],
                mode="markers",
                marker={"color": colour, "size": size},
                name=label,
                hovertemplate="rank %{x}: %{text}<br>%{y:.3g} %<extra></extra>",
            )
    figure.add_hline(
        y=100 / len(weights) if uniform is None else 100 * uniform,
        line={"color": NEUTRAL, "dash": "dot"},
        annotation_text="uniform",
        annotation_position="top left",
    )
    ticks = [10**power for power in range(len(str(len(order))))]
    figure.update_xaxes(
        title="rank of the token", type="log", tickvals=ticks, range=[-0.05, np.log10(len(order)) + 0.05]
    )
    figure.update_yaxes(title="weight, %", rangemode="tozero")
    return _with_layout(figure)


@typed
def matrix(weights: np.ndarray, prefix: int, limit: float, signed: bool = False) -> go.Figure:
    """Draw the attention matrix of one head.

    Args:
        weights: attention weights, [query, key].
        prefix: number of prefix tokens; a line separates them from the patches.
        limit: weight at the upper end of the colour map, see `colour_limit`.
        signed: True if weights may be negative; the colour map then starts at `-limit`.
    """
    weights = array(weights, "query, key", "Weights", finite=False)
    prefix = whole(prefix, 0, len(weights), "The number of prefix tokens")
    limit = number(limit, 0, np.inf, "The colour limit")
    tokens, low = len(weights), -limit if signed else 0
    colours = plotly_scale("relative", signed=signed)
    figure = go.Figure()
    if tokens <= HOVERABLE:
        figure.add_heatmap(
            z=(100 * weights).astype(np.float32),
            zmin=100 * low,
            zmax=100 * limit,
            colorscale=colours,
            colorbar={"title": {"text": "%"}, "thickness": 10, "outlinewidth": 0},
            hovertemplate="query token %{y}, key token %{x}<br>%{z:.3g} %<extra></extra>",
        )
    else:
        tones = tone(weights, "relative", tokens, limit, signed)
        figure.add_image(z=paint(tones, "relative", signed), hoverinfo="skip")
        figure.add_scatter(  # an image has no colour bar of its own
            x=[None],
            y=[None],
            mode="markers",
            marker={
                "color": [0],
                "cmin": 100 * low,
                "cmax": 100 * limit,
                "colorscale": colours,
                "showscale": True,
                "colorbar": {"title": {"text": "%"}, "thickness": 10, "outlinewidth": 0},
            },
            showlegend=False,
        )
    if prefix:
        for line in ("add_hline", "add_vline"):
            getattr(figure, line)(prefix - 0.5, line={"color": KEY, "width": 1})
    figure.update_xaxes(
        title="key token, from 0",
        constrain="domain",
        constraintoward="right",
        range=[-0.5, tokens - 0.5],
        showgrid=False,
    )
    figure.update_yaxes(
        title="query token, from 0", scaleanchor="x", constrain="domain", range=[tokens - 0.5, -0.5], showgrid=False
    )
    return _with_layout(figure)


@typed
def colour_limit(weights: np.ndarray) -> float:
    """Return the upper end of a matrix's colour map: the 99.5th percentile of the absolute weights.

    The few larger weights would otherwise leave the rest black.
    """
    weights = array(weights, "query, key", "Weights", finite=False)
    return max(float(np.quantile(np.abs(weights), 0.995)), 1 / len(weights))


@typed
def by_layer(
    values: np.ndarray, unit: str, layer: int, head: int | None, uniform: float, uniform_label: str
) -> go.Figure:
    """Draw one number per head over the layers.

    Args:
        values: one number per head, [layer, head].
        unit: title of the vertical axis.
        layer: selected layer, from 0; nothing is marked if it is outside the values, as for the pooling.
        head: selected head, from 0, which is marked; None marks the whole layer.
        uniform: value of uniform attention, drawn as a line.
        uniform_label: label of that line.
    """
    values = array(values, "layer, head", "Values", finite=False)
    layers, heads = values.shape
    x, h = np.repeat(np.arange(layers), heads), np.tile(np.arange(heads), layers)
    chosen = (x == layer) & ((h == head) | (head is None))
    figure = go.Figure()
    for label, mask, style in (
        ("heads", ~chosen, {"color": NEUTRAL, "size": 7, "opacity": 0.75}),
        ("shown above", chosen, {"color": ATTENTION, "size": 11}),
    ):
        if not mask.any():  # no layer is selected when the page shows the pooling
            continue
        figure.add_scatter(
            x=x[mask] + 1,
            y=values.ravel()[mask],
            text=[f"layer {a + 1}, head {b + 1}" for a, b in zip(x[mask], h[mask], strict=True)],
            mode="markers",
            marker=style,
            name=label,
            hovertemplate="%{text}<br>%{y:.4g}<extra></extra>",
        )
    figure.add_scatter(
        x=np.arange(layers) + 1,
        y=values.mean(axis=1),
        mode="lines",
        line={"color": ATTENTION, "width": 1.5},
        name="mean of the layer",
        hovertemplate="layer %{x}, mean<br>%{y:.4g}<extra></extra>",
    )
    figure.add_hline(y=uniform, line={"color": NEUTRAL, "dash": "dot"}, annotation_text=uniform_label)
    figure.update_xaxes(title="layer", dtick=1 if layers <= 16 else 4)
    figure.update_yaxes(title=unit, range=[0, 1.15 * max(uniform, float(values.max()))])
    return _with_layout(figure)


@typed
def describe_concentration(weights: np.ndarray, names: list[str], direction: Direction, signed: bool = False) -> str:
    """Describe the number of tokens that hold half of the attention.

    For example `"9 of 257 tokens receive half of the attention; the strongest, patch (3, 8), receives 14.2 %."`. Signed
    weights cancel in a sum, so their absolute values are used.

    Args:
        weights: attention weights, [token].
        names: name of each token.
        direction: `"from"` for a row of the attention matrix, `"to"` for a column.
        signed: True if weights may be negative.
    """
    weights = _named_weights(weights, names)
    size = np.abs(weights)
    running = np.cumsum(np.sort(size)[::-1])
    count = int(np.searchsorted(running, running[-1] / 2) + 1)
    if signed:
        half = f"half of the absolute weight (signed sum: {percent(float(weights.sum()))})"
    elif direction == "from":
        half = "half of the attention"
    else:
        half = f"half of the attention to this token (in total {running[-1]:.2f} × uniform)"
    verb = "receive" if direction == "from" else "give"
    top = int(size.argmax())
    return (
        f"{count} of {len(weights)} tokens {verb} {half}; the strongest, {names[top]}, {verb}s "
        f"{percent(float(weights[top]))}."
    )


def _named_weights(weights: np.ndarray, names: list[str]) -> np.ndarray:
    weights = array(weights, "token", "Weights", finite=False)
    if len(names) < len(weights):
        raise ArgumentError(f"There are {len(names)} names for {len(weights)} weights; give one name per weight.")
    return weights


def _with_layout(figure: go.Figure) -> go.Figure:
    return figure.update_layout(
        height=340,
        margin={"l": 10, "r": 10, "t": 10, "b": 10},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        hoverlabel={"namelength": 0},
    )
