"""Parts of the page that all three modes share: boxes for layer and head, sides of the component, charts of boards."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from ....analysis.comparison import counterparts
from ....trace.trace import Trace
from ....viz.colour import plotly_scale
from ...app import state
from ...app.views import VIEW
from ...components.match import Pairing, Side, match_view
from ...widgets.view_boxes import layer_and_head
from ..attention.settings import with_one_head
from ..lesson import followed_token
from ..lesson.sections import Patch
from . import comparisons, settings

PICTURE = 720  # pixels of the longer side of a picture


@dataclass(frozen=True, eq=False)
class Compared:
    """Chosen image and model with its trace, layer, head and patch.

    Attributes:
        choice: image and model.
        trace: the forward pass.
        layer: layer, from 0.
        head: head, from 0.
        patch: row and column of the followed patch, from 0.
    """

    choice: state.Choice
    trace: Trace
    layer: int
    head: int
    patch: Patch


def current(choice: state.Choice) -> Compared:
    """Return the user's current view."""
    trace = state.trace(choice)
    view = with_one_head(VIEW.of(trace), trace)
    return Compared(choice, trace, view.layer, view.head, followed_token.followed_patch(trace))


def boxes(view: Compared) -> None:
    """Draw the boxes for layer and head, from 1."""
    layer_and_head(view.trace, view.layer, view.head, "compare_first", width=120)


def side(
    choice: state.Choice,
    title: str,
    layer: int,
    head: int,
    units: np.ndarray | None = None,
    colours: np.ndarray | None = None,
) -> Side:
    """Return a side of the component for an image and a model."""
    return Side(
        title=title,
        name=choice.picked.name,
        picture=state.picture(choice, PICTURE),
        trace=state.trace(choice),
        layer=layer,
        head=head,
        vectors=comparisons.vectors(choice, layer),
        units=units,
        colours=colours,
    )


def heat_map(values: np.ndarray, down: str, across: str, unit: str) -> go.Figure:
    """Return a heat map of values from 0 to 1, [row, column], whose axes count from 1.

    Args:
        values: values; NaN leaves a cell empty.
        down: title of the vertical axis.
        across: title of the horizontal axis.
        unit: title of the colour bar.
    """
    rows, columns = values.shape
    names = [str(at + 1) for at in range(columns)], [str(at + 1) for at in range(rows)]
    heat = go.Heatmap(
        z=values,
        x=names[0],
        y=names[1],
        zmin=0,
        zmax=1,
        colorscale=plotly_scale("raw"),
        colorbar={"thickness": 10, "outlinewidth": 0, "title": {"text": unit, "side": "top"}},
        hovertemplate=f"{down} %{{y}}, {across} %{{x}}<br>%{{z:.3f}}<extra></extra>",
        xgap=1,
        ygap=1,
    )
    layout = {
        "height": 90 + 24 * rows,
        "margin": {"l": 10, "r": 10, "t": 10, "b": 10},
        "xaxis": {"title": across, "type": "category", "showgrid": False},
        "yaxis": {"title": down, "type": "category", "autorange": "reversed", "showgrid": False},
    }
    return go.Figure(heat, layout)


def same_place(a: tuple[str, state.Choice, int, int], b: tuple[str, state.Choice, int, int], patch: Patch) -> None:
    """Draw the attention of two models at the same place of the image.

    Args:
        a: title, image and model, layer and head of picture A; layer and head count from 0.
        b: the same for picture B.
        patch: row and column of the followed patch of A, from 0.
    """
    sides = [side(choice, title, layer, head) for title, choice, layer, head in (a, b)]
    first, second = (one.trace for one in sides)
    match_view(
        *sides,
        Pairing("place", counterparts(first, second), counterparts(second, first)),
        settings.shown(),
        patch,
        on_choose=followed_token.follow_patch,
        on_shown=settings.set_shown,
        key="compare_view",
    )
