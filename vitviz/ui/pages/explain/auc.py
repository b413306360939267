"""Deletion and insertion curves as charts, and a table of the areas under them (AUC)."""

from __future__ import annotations

import html
from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go

from ....analysis.attribution.faithfulness import Curves
from ....viz.colour import ATTENTION, KEY, NEUTRAL, QUERY, VALUE
from ...widgets import drawing
from ...widgets.strips import number

LOW, HIGH = "lower is better", "higher is better"
AXES = {"deletion": "share of patches removed", "insertion": "share of patches inserted"}
STYLES = (  # colour, dash and marker, so that lines differ in more than colour
    (QUERY, "solid", "circle"),
    (KEY, "solid", "square"),
    (VALUE, "dash", "diamond"),
    (ATTENTION, "solid", "triangle-up"),
    ("#2f81f7", "dash", "x"),
    ("#e5484d", "solid", "star"),
)


def chart(
    lines: Mapping[str, tuple[np.ndarray, np.ndarray]], x: str, y: str, random: str, ends: tuple[float, float]
) -> go.Figure:
    """Return a chart of the target's value against the share of patches.

    Args:
        lines: fractions [n] and values [n] by name of the patch order.
        x: title of the x axis.
        y: title of the y axis.
        random: name of the random order, the reference; drawn grey and dotted.
        ends: smallest and largest value of the y axis.
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


def table(results: Mapping[str, Curves], random: str, rank: bool = True) -> str:
    """Return the areas under the curves as an HTML table.

    Args:
        results: curves by name of the patch order.
        random: name of the random order, the reference.
        rank: whether to mark the best method; False where the curves differ too little.
    """
    deletion = _column({name: curves.deletion_auc for name, curves in results.items()}, random, -1, rank)
    insertion = _column({name: curves.insertion_auc for name, curves in results.items()}, random, 1, rank)
    rows = [[html.escape(name), deletion[name], insertion[name]] for name in results]
    head = ("patch order", f"deletion AUC<br><small>{LOW}</small>", f"insertion AUC<br><small>{HIGH}</small>")
    return f'<div data-testid="areas">{drawing.table(head, rows)}</div>'


def _column(areas: Mapping[str, float], random: str, better: int, rank: bool) -> dict[str, str]:
    """Return the cells of one column, with the best area and areas no better than random marked."""
    methods = {name: better * area for name, area in areas.items() if name != random}
    best = max(methods.values(), default=None)
    chance = better * areas[random] if random in areas else None

    def verdict(name: str) -> str:
        if name not in methods or not rank:
            return ""
        if chance is not None and methods[name] <= chance:
            return "no better than random"
        return "best" if methods[name] == best and len(methods) > 1 else ""

    return {name: _cell(number(area), verdict(name)) for name, area in areas.items()}


def _cell(area: str, verdict: str) -> str:
    if not verdict:
        return area
    return f"<b>{area}</b> {verdict}" if verdict == "best" else f"{area} <small>{verdict}</small>"
