"""Charts of the page "Attention": arrays in, plotly figure out."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from ....viz.colour import ATTENTION, KEY, NEUTRAL, QUERY, colour_map
from ....walkthrough.receptive_field import SameDepth

CONVOLUTIONS, ON_PATCHES, RESNET = "#e07b00", "#12a594", "#d6409f"
THIRDS = ((0.71, 1.0), (0.355, 0.645), (0.0, 0.29))  # of a chart's height, from the top


def product(q: np.ndarray, k: np.ndarray, halves: bool = False) -> go.Figure:
    """A dot product, dimension by dimension: q, k, and q times k, each number with its sign as hue.

    Args:
        q: the query, [channel].
        k: the key, [channel].
        halves: whether the channels are two halves with a product each; a line divides them.
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
    return go.Figure(  # made at once: step by step it would take as long as all other sums of the page
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


def reach(distance: np.ndarray, layer: int, depths: list[SameDepth], side: int) -> go.Figure:
    """How far heads look, against how far convolutions can see.

    Args:
        distance: mean attention distances, pixels [layer, head].
        layer: the chosen layer, from 0.
        depths: convolutional networks at the depth of each layer.
        side: the longer side of the image, pixels; the axis ends a little above it.
    """
    layers, heads = distance.shape
    x = np.arange(1, layers + 1)
    figure = go.Figure()
    figure.add_scatter(
        x=np.repeat(x, heads),
        y=distance.ravel(),
        text=[f"layer {a + 1}, head {b + 1}" for a in range(layers) for b in range(heads)],
        mode="markers",
        marker={"color": ATTENTION, "size": 6, "opacity": 0.6},
        name="each head looks this far",
        hovertemplate="%{text}<br>%{y:.1f} px<extra></extra>",
    )
    for name, colour, dash, fields in (
        ("ResNet-50 can", RESNET, "solid", [depth.resnet50 for depth in depths]),
        ("3 × 3 on patches can", ON_PATCHES, "dash", [depth.on_patches for depth in depths]),
        ("3 × 3 on pixels can", CONVOLUTIONS, "solid", [depth.on_pixels for depth in depths]),
    ):
        figure.add_scatter(
            x=x,
            y=[field.reach for field in fields],
            text=[field.layer for field in fields],
            mode="lines+markers",
            line={"color": colour, "dash": dash, "width": 1.5},
            marker={"size": 4},
            name=name,
            hovertemplate="%{text}<br>reaches %{y:.1f} px<extra></extra>",
        )
    figure.add_vline(layer + 1, line={"color": NEUTRAL, "dash": "dot"})
    figure.update_xaxes(title="layer", dtick=1 if layers <= 16 else 4)
    figure.update_yaxes(title="pixels", range=[0, 1.08 * side])
    return figure.update_layout(
        height=340,
        margin={"l": 10, "r": 10, "t": 10, "b": 10},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        hoverlabel={"namelength": 0},
    )
