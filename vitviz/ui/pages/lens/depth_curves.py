"""Chart of values over depth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from ....analysis.logit_lens import depth_label
from ....viz.colour import ATTENTION, KEY, NEUTRAL, QUERY, VALUE

# The first is that of the target. All are legible on white and on black.
COLOURS = (ATTENTION, QUERY, KEY, VALUE, "#e5484d", "#d6409f", "#8a8f00", "#a8744a", "#5b8db8", "#2f81f7", NEUTRAL)


@dataclass(frozen=True, eq=False)
class Curve:
    """One line of the chart.

    Attributes:
        name: name in the legend, as HTML.
        values: values, [1 + layer].
        labels: formatted values, one per value.
        bold: whether this is the curve of the target.
        dotted: whether to draw a dotted line, for a class that leads only at earlier depths.
    """

    name: str
    values: np.ndarray
    labels: Sequence[str]
    bold: bool = False
    dotted: bool = False


def curves(drawn: Sequence[Curve], unit: str, depth: int, *, signed: bool, height: int = 380) -> go.Figure:
    """Return a chart of values over depth.

    Args:
        drawn: the lines.
        unit: title of the y axis.
        depth: the chosen depth, which is marked.
        signed: whether values range from -1 to 1 instead of 0 to 1.
        height: height of the chart without its legend, pixels.
    """
    count = len(drawn[0].values)
    x = np.arange(count)
    lowest = min(0.0, *(float(curve.values.min()) for curve in drawn)) if signed else 0.0
    lines = [
        go.Scatter(
            x=x,
            y=curve.values,
            text=[f"{depth_label(at)}: {label}" for at, label in enumerate(curve.labels)],
            mode="lines+markers",
            line={
                "color": COLOURS[at % len(COLOURS)],
                "width": 3.5 if curve.bold else 1.5,
                "dash": "dot" if curve.dotted else "solid",
            },
            marker={"size": 7 if curve.bold else 4},
            name=curve.name,
            hovertemplate="%{fullData.name}, %{text}<extra></extra>",
        )
        for at, curve in enumerate(drawn)
    ]
    mark = {"type": "line", "x0": depth, "x1": depth, "yref": "paper", "y0": 0, "y1": 1}
    step = 1 if count <= 16 else 4
    return go.Figure(
        lines,
        {
            "height": height + 10 * len(drawn),
            "margin": {"l": 10, "r": 10, "t": 10, "b": 10},
            "xaxis": {
                "title": "after layer (0: input)",
                "tickvals": x[::step],
                "range": [-0.3, count - 0.7],
            },
            "yaxis": {"title": unit, "range": [lowest - 0.04, 1.04]},
            "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
            "showlegend": len(drawn) > 1,
            "shapes": [mark | {"line": {"color": NEUTRAL, "dash": "dot"}}],
            "hoverlabel": {"namelength": 0},
        },
    )
