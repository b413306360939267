"""Charts of the page "Intervene": arrays in, plotly figure out."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from ....viz.colour import plotly_scale


def effects(found: np.ndarray, what: str, signed: bool) -> go.Figure:
    """Effects of heads [layer, head] or of the halves of blocks [layer, 2] as a heat map.

    Args:
        found: the effects; NaN where they are not known yet.
        what: `"heads"` or `"layers"`.
        signed: whether they may be negative; then 0 is the middle of the colours.
    """
    layers, columns = found.shape
    names = ["attention", "MLP"] if what == "layers" else [str(head + 1) for head in range(columns)]
    part = "%{x}" if what == "layers" else "head %{x}"
    largest = float(np.nan_to_num(np.abs(found)).max()) or 1.0
    heat = go.Heatmap(
        z=found,
        x=names,
        y=[str(layer + 1) for layer in range(layers)],
        zmin=-largest if signed else 0,
        zmax=largest,
        colorscale=plotly_scale("relative", signed=signed),
        colorbar={
            "thickness": 10,
            "outlinewidth": 0,
            "exponentformat": "e",
            "title": {"text": "change" if signed else "1 − cosine", "side": "top"},
        },
        hoverinfo="skip",
        xgap=1,
        ygap=1,
    )
    places = [place for place in np.ndindex(found.shape) if not np.isnan(found[place])]
    clicked = go.Scatter(  # heat maps cannot be clicked in Streamlit: squares that are not seen lie on the cells
        x=[names[column] for _, column in places],
        y=[str(layer + 1) for layer, _ in places],
        mode="markers",
        marker={"symbol": "square", "size": 22, "opacity": 0},
        selected={"marker": {"opacity": 0}},
        unselected={"marker": {"opacity": 0}},
        customdata=places,
        text=[f"{found[place]:.4g}" for place in places],
        hovertemplate=f"layer %{{y}}, {part}<br>%{{text}}<extra></extra>",
        showlegend=False,
    )
    return go.Figure(
        [heat, clicked],
        {
            "height": 90 + 24 * layers,
            "hovermode": "closest",
            "hoverdistance": -1,  # the nearest middle, which is that of the cell, however wide
            "margin": {"l": 10, "r": 10, "t": 10, "b": 10},
            "xaxis": {"title": "" if what == "layers" else "head", "type": "category", "showgrid": False},
            "yaxis": {"title": "layer", "type": "category", "autorange": "reversed", "showgrid": False},
        },
    )
