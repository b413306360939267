"""Line charts of quantities over a training run, as Plotly figures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from ..errors import ArgumentError
from ..errors.arguments import array, checked_index, each_of_kind, typed
from .colour import ATTENTION, NEUTRAL


@typed
def over_training(
    values: np.ndarray, steps: Sequence[str], shown: int, *, uniform: float | None = None, limit: float | None = None
) -> go.Figure:
    """Draw one number for each checkpoint, at equal distances, because checkpoints are denser at the beginning.

    Args:
        values: one number for each checkpoint.
        steps: names of the checkpoints, for hover labels.
        shown: index of the checkpoint to mark.
        uniform: value of uniform attention, drawn as a dotted line; None for no line.
        limit: upper end of the vertical axis; None for an automatic one. The axis starts at 0, or below it for negative
            values.

    Raises:
        ArgumentError: if there are not as many values as steps.
        IndexError: if there is no such checkpoint.
    """
    values = array(values, "checkpoint", "Values", finite=False)
    each_of_kind(steps, str, "steps")
    if len(values) != len(steps):
        raise ArgumentError(f"There are {len(values)} values for {len(steps)} steps; give one for each step.")
    shown, at = checked_index(shown, len(steps), "checkpoint"), np.arange(len(steps))
    finite = values[np.isfinite(values)]
    top = 1.1 * max([*finite, 0.0 if uniform is None else uniform], default=1.0) if limit is None else limit
    figure = go.Figure(
        go.Scatter(
            x=at,
            y=values,
            text=list(steps),
            mode="lines+markers",
            line={"color": ATTENTION, "width": 2},
            marker={"size": [12 if step == shown else 5 for step in at]},
            hovertemplate="%{text}<br>%{y:.4g}<extra></extra>",
        )
    )
    if uniform is not None:
        figure.add_hline(y=uniform, line={"color": NEUTRAL, "dash": "dot", "width": 1})
    figure.update_xaxes(showticklabels=False, range=[-0.5, len(steps) - 0.5], zeroline=False, showgrid=False)
    figure.update_yaxes(range=[min([*finite, 0.0]), top or 1.0], nticks=4)
    return figure.update_layout(height=130, margin={"l": 10, "r": 10, "t": 6, "b": 12}, showlegend=False)
