"""Line charts of quantities over a training run, as Plotly figures."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from ..errors import ArgumentError
from ..errors.arguments import array, checked_index, each_of_kind, typed
from .colour import ATTENTION, NEUTRAL

TITLES = {"step": "training step", "iter": "iteration", "iteration": "iteration", "epoch": "epoch"}
_COUNTED = re.compile(r"(?:([A-Za-z]+)[-_=. ]*)?([0-9]+)")  # a number, and the word before it


@typed
def over_training(
    values: np.ndarray, steps: Sequence[str], shown: int, *, uniform: float | None = None, limit: float | None = None
) -> go.Figure:
    """Draw one number for each checkpoint, at equal distances, because checkpoints are denser at the beginning.

    The horizontal axis counts what the names of the checkpoints do: training steps for `step-00100`, epochs for
    `epoch-3`.

    Args:
        values: one number for each checkpoint.
        steps: names of the checkpoints, for hover labels and the horizontal axis.
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
    title, numbers = _counted(steps)
    labelled = _labelled(len(steps), shown) if numbers else []
    figure.update_xaxes(
        title={"text": title, "standoff": 4},
        tickvals=labelled,
        ticktext=[numbers[step] for step in labelled],
        tickangle=0,
        automargin=True,
        range=[-0.5, len(steps) - 0.5],
        zeroline=False,
        showgrid=False,
    )
    figure.update_yaxes(range=[min([*finite, 0.0]), top or 1.0], nticks=4)
    return figure.update_layout(height=160, margin={"l": 10, "r": 10, "t": 6, "b": 10}, showlegend=False)


def _counted(steps: Sequence[str]) -> tuple[str, list[str]]:
    """Return what the names of checkpoints count, and their numbers; no numbers if not exactly one of them differs."""
    found = [_COUNTED.findall(step) for step in steps]
    if len({len(one) for one in found}) > 1:
        return "checkpoint", []
    differing = [column for column in zip(*found, strict=True) if len({number for _, number in column}) > 1]
    if len(differing) != 1:
        return "checkpoint", []
    word = differing[0][0][0].lower()
    return TITLES.get(word, TITLES.get(word.removesuffix("s"), "checkpoint")), [f"{int(n):,}" for _, n in differing[0]]


def _labelled(count: int, shown: int) -> list[int]:
    """Return the checkpoints with a label: the marked one, and the ends where they leave room for it."""
    apart = count / 4
    return sorted({shown} | {end for end in (0, count - 1) if abs(end - shown) >= apart})
