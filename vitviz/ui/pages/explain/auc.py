"""The areas below the curves of the comparison, as a table that says in words which are best."""

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
AXES = {"deletion": "share of patches taken away", "insertion": "share of patches put back"}
STYLES = (  # colour, dash and marker: no line is known by its colour alone
    (QUERY, "solid", "circle"),
    (KEY, "solid", "square"),
    (VALUE, "dash", "diamond"),
    (ATTENTION, "solid", "triangle-up"),
    ("#e07b00", "dash", "x"),
    ("#12a594", "solid", "star"),
)


def chart(
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


def table(found: Mapping[str, Curves], random: str, tells: bool = True) -> str:
    """The areas as HTML.

    Args:
        found: the curves by the name of the order.
        random: the name of the order that the others have to beat.
        tells: whether the curves differ by enough to call one of them the best.
    """
    deletion = _column({name: curves.deletion_auc for name, curves in found.items()}, random, -1, tells)
    insertion = _column({name: curves.insertion_auc for name, curves in found.items()}, random, 1, tells)
    rows = [[html.escape(name), deletion[name], insertion[name]] for name in found]
    head = ("order", f"area, deletion<br><small>{LOW}</small>", f"area, insertion<br><small>{HIGH}</small>")
    return f'<div data-testid="areas">{drawing.table(head, rows)}</div>'


def _column(areas: Mapping[str, float], random: str, better: int, tells: bool) -> dict[str, str]:
    """Each area with a word on it: which is best, and which are no better than chance."""
    methods = {name: better * area for name, area in areas.items() if name != random}
    best = max(methods.values(), default=None)
    chance = better * areas[random] if random in areas else None

    def verdict(name: str) -> str:
        if name not in methods or not tells:
            return ""
        if chance is not None and methods[name] <= chance:
            return "no better than random"
        return "best" if methods[name] == best and len(methods) > 1 else ""

    return {name: _cell(number(area), verdict(name)) for name, area in areas.items()}


def _cell(area: str, verdict: str) -> str:
    if not verdict:
        return area
    return f"<b>{area}</b> {verdict}" if verdict == "best" else f"{area} <small>{verdict}</small>"
