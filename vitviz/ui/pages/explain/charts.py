"""Charts of the page "Explain": arrays in, plotly figure out."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go

from ....viz.colour import ATTENTION, KEY, NEUTRAL, QUERY, VALUE

AXES = {"deletion": "share of patches taken away", "insertion": "share of patches put back"}
STYLES = (  # colour, dash and marker: no line is known by its colour alone
    (QUERY, "solid", "circle"),
    (KEY, "solid", "square"),
    (VALUE, "dash", "diamond"),
    (ATTENTION, "solid", "triangle-up"),
    ("#e07b00", "dash", "x"),
    ("#12a594", "solid", "star"),
)


def curves(
    lines: Mapping[str, tuple[np.ndarray, np.ndarray]], x: str, y: str, random: str, ends: tuple[float, float]
) -> go.Figure:
    """What is left of a target, against the share of patches.

    Args:
        lines: fractions [n] and values [n] by the name of the order.
        x: what the fractions are.
        y: what the values are.
        random: the name of the order that the others have to beat; it is grey and dotted.
        ends: the smallest and the largest value on the scale.
    """
    room = 0.04 * (ends[1] - ends[0] or 1.0)
    styles = iter(STYLES)
    drawn = []
    for name, (fraction, value) in lines.items():
        colour, dash, marker = (NEUTRAL, "dot", "circle-open") if name == random else next(styles)
        drawn.append(
            go.Scatter(
                x=fraction,
                y=value,
                name=name,
                mode="lines+markers",
                line={"color": colour, "dash": dash, "width": 2},
                marker={"symbol": marker, "size": 6},
                hovertemplate=f"{name}<br>%{{x:.0%}}: %{{y:.4f}}<extra></extra>",
            )
        )
    return go.Figure(
        drawn,
        {
            "xaxis": {"title": x, "tickformat": ".0%", "range": [-0.02, 1.02]},
            "yaxis": {"title": y, "range": [ends[0] - room, ends[1] + room]},
            "height": 380,
            "margin": {"l": 10, "r": 10, "t": 10, "b": 10},
            "legend": {"orientation": "h", "y": -0.25, "yanchor": "top", "x": 0},
            "hoverlabel": {"namelength": 0},
        },
    )
