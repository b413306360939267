"""Line charts of quantities over the layers, as Plotly figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from ..errors.brief import brief
from .colour import NEUTRAL


@brief
@dataclass(frozen=True, eq=False)
class Line:
    """One line of a chart.

    Attributes:
        name: name in the legend.
        values: one number for each layer.
        colour: CSS colour.
        dash: Plotly dash style, such as `"solid"` or `"dot"`.
    """

    name: str
    values: np.ndarray
    colour: str
    dash: str = "solid"


def over_layers(
    lines: Sequence[Line],
    title: str,
    *,
    first: int,
    shown: int,
    log: bool = False,
    unit: str = "",
    limit: float | None = None,
) -> go.Figure:
    """Draw lines over the layers.

    Args:
        lines: lines with equally many values.
        title: title of the vertical axis.
        first: layer of the first value; 0 is the input of the first block.
        shown: layer to mark, from 1.
        log: True for a logarithmic vertical axis.
        unit: unit appended to values in hover labels.
        limit: upper end of the vertical axis, which then starts at 0; None for an automatic range.
    """
    count = len(lines[0].values)
    at = np.arange(first, first + count)
    data = [
        go.Scatter(
            x=at,
            y=line.values,
            name=line.name,
            mode="lines+markers",
            line={"color": line.colour, "dash": line.dash, "width": 2},
            marker={"size": 6},
            hovertemplate=f"{line.name}, layer %{{x}}<br>%{{y:.4g}}{unit}<extra></extra>",
        )
        for line in lines
    ]
    layout = go.Layout(
        height=320,
        margin={"l": 10, "r": 10, "t": 10, "b": 10},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        hoverlabel={"namelength": 0},
        showlegend=True,
        xaxis={
            "title": {"text": "layer"},
            "dtick": 1 if count <= 17 else 4,
            "range": [first - 0.5, first + count - 0.5],
        },
        yaxis={"title": {"text": title}}
        | (_logarithmic(lines) if log else {})
        | ({} if limit is None else {"range": [0, limit]}),
        shapes=[
            {
                "type": "line",
                "x0": shown,
                "x1": shown,
                "y0": 0,
                "y1": 1,
                "yref": "paper",
                "line": {"color": NEUTRAL, "dash": "dot", "width": 1},
            }
        ],
    )
    return go.Figure(data, layout)


def _logarithmic(lines: Sequence[Line]) -> dict:
    """Return a logarithmic axis with explicit ticks at 1, 2, 5, 10, ...; Plotly's own omit the powers of ten."""
    values = np.concatenate([line.values for line in lines])
    low, high = (int(np.floor(np.log10(end))) for end in (values[values > 0].min(initial=1.0), values.max(initial=1.0)))
    ticks = [digit * 10.0**power for power in range(low, high + 1) for digit in (1, 2, 5)]
    return {"type": "log", "tickvals": ticks, "ticktext": [f"{tick:g}" for tick in ticks]}
