"""Arrays in, plotly figure out."""

import numpy as np
import plotly.graph_objects as go

from ..errors import ArgumentError
from ..errors.arguments import array, number, typed, whole
from ..notation.marks import percent
from ..notation.view import Direction
from .colour import ATTENTION, KEY, NEUTRAL, paint, plotly_scale, tone

HOVERABLE = 600  # a matrix of more tokens is drawn as a picture: a million cells that answer would stall the browser


@typed
def sorted_weights(weights: np.ndarray, names: list[str], prefix: int, uniform: float | None = None) -> go.Figure:
    """The weights of one view from the largest to the smallest, with what a uniform row would give.

    Args:
        weights: [token].
        names: what each token is called.
        prefix: how many of the first tokens are not patches; they are marked.
        uniform: what a uniform row would give to each token it reads; 1 / tokens if None.
    """
    weights = _named_weights(weights, names)
    prefix = whole(prefix, 0, len(weights), "The number of prefix tokens")
    order = np.argsort(-weights, kind="stable")
    rank = np.arange(1, len(order) + 1)
    figure = go.Figure()
    for label, colour, size, chosen in (
        ("patches", ATTENTION, 5, order >= prefix),
        ("tokens before the patches", KEY, 9, order < prefix),
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
    return _laid_out(figure)


@typed
def matrix(weights: np.ndarray, prefix: int, brightest: float, signed: bool = False) -> go.Figure:
    """All weights of one head.

    Args:
        weights: [query, key].
        prefix: how many of the first tokens are not patches; a line divides them from the patches.
        brightest: the weight at which the colours end, see `brightest`.
        signed: whether weights may be negative; then the colours begin at `-brightest`.
    """
    weights = array(weights, "query, key", "Weights", finite=False)
    prefix = whole(prefix, 0, len(weights), "The number of prefix tokens")
    brightest = number(brightest, 0, np.inf, "The brightest weight")
    tokens, dimmest = len(weights), -brightest if signed else 0
    colours = plotly_scale("relative", signed=signed)
    figure = go.Figure()
    if tokens <= HOVERABLE:
        figure.add_heatmap(
            z=(100 * weights).astype(np.float32),
            zmin=100 * dimmest,
            zmax=100 * brightest,
            colorscale=colours,
            colorbar={"title": {"text": "%"}, "thickness": 10, "outlinewidth": 0},
            hovertemplate="query token %{y}, key token %{x}<br>%{z:.3g} %<extra></extra>",
        )
    else:
        tones = tone(weights, "relative", tokens, brightest, signed)
        figure.add_image(z=paint(tones, "relative", signed), hoverinfo="skip")
        figure.add_scatter(  # an image has no colour bar of its own
            x=[None],
            y=[None],
            mode="markers",
            marker={
                "color": [0],
                "cmin": 100 * dimmest,
                "cmax": 100 * brightest,
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
    return _laid_out(figure)


@typed
def brightest(weights: np.ndarray) -> float:
    """Where the colours of a matrix end: few weights are far larger (in size), and would leave the rest black."""
    weights = array(weights, "query, key", "Weights", finite=False)
    return max(float(np.quantile(np.abs(weights), 0.995)), 1 / len(weights))


@typed
def by_layer(
    values: np.ndarray, unit: str, layer: int, head: int | None, uniform: float, uniform_label: str
) -> go.Figure:
    """One number for each head, over the layers.

    Args:
        values: [layer, head].
        unit: what the number is, for the axis.
        layer: the chosen layer; if it is none of these, nothing is marked.
        head: the chosen head, which is marked; None marks the whole layer.
        uniform: the value of uniform attention, drawn as a line.
        uniform_label: what that line is called.
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
        if not mask.any():  # what is shown above is not one of these layers, but the pooling
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
    return _laid_out(figure)


@typed
def half_of(weights: np.ndarray, names: list[str], direction: Direction, signed: bool = False) -> str:
    """How concentrated weights are, in words.

    Such as `"9 of 257 tokens get half of it; the strongest, patch (3, 8), gets 14.2 %."`. Signed weights cancel in a
    sum, so of them it is half of their size that is spoken of.
    """
    weights = _named_weights(weights, names)
    size = np.abs(weights)
    running = np.cumsum(np.sort(size)[::-1])
    count = int(np.searchsorted(running, running[-1] / 2) + 1)
    whole = "half of it" if direction == "from" else f"half of what it receives, {running[-1]:.2f} × uniform"
    if signed:
        whole = f"half of all weight, counted without signs; it sums to {percent(float(weights.sum()))} with them"
    verb = "get" if direction == "from" else "give"
    top = int(size.argmax())
    last = "gets" if direction == "from" else "gives"
    return (
        f"{count} of {len(weights)} tokens {verb} {whole}; the strongest, {names[top]}, {last} "
        f"{percent(float(weights[top]))}."
    )


def _named_weights(weights: np.ndarray, names: list[str]) -> np.ndarray:
    weights = array(weights, "token", "Weights", finite=False)
    if len(names) < len(weights):
        raise ArgumentError(f"{len(names)} names do not go with {len(weights)} weights; give one for each.")
    return weights


def _laid_out(figure: go.Figure) -> go.Figure:
    return figure.update_layout(
        height=340,
        margin={"l": 10, "r": 10, "t": 10, "b": 10},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        hoverlabel={"namelength": 0},
    )
