"""The areas below the curves of the comparison, as a table that says in words which are best."""

from __future__ import annotations

import html
from collections.abc import Mapping

from ....analysis.attribution.faithfulness import Curves
from ...widgets import drawing
from ...widgets.strips import number

LOW, HIGH = "lower is better", "higher is better"


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
