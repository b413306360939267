"""Heat maps of heads and layers whose cells can be clicked."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from ....viz.colour import ATTENTION, plotly_scale
from ...widgets import selections
from ...widgets.charts import draw_chart

Cell = tuple[int, int]  # row and column, from 0


def heat_map(values: np.ndarray, down: str, across: str, unit: str, chosen: Cell | None = None) -> go.Figure:
    """Return a heat map of values from 0 to 1, [row, column], whose axes count from 1.

    Args:
        values: values; NaN leaves a cell empty.
        down: title of the vertical axis.
        across: title of the horizontal axis.
        unit: title of the colour bar.
        chosen: cell with a frame; None for none.
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
        hoverinfo="skip",
        xgap=1,
        ygap=1,
    )
    places = list(np.ndindex(values.shape))
    cells = go.Scatter(  # heat maps cannot be clicked in Streamlit, so invisible squares cover the cells
        x=[names[0][column] for _, column in places],
        y=[names[1][row] for row, _ in places],
        mode="markers",
        marker={"symbol": "square", "size": 22, "opacity": 0},
        selected={"marker": {"opacity": 0}},
        unselected={"marker": {"opacity": 0}},
        customdata=list(range(values.size)),
        text=["" if np.isnan(values[place]) else f"{values[place]:.3f}" for place in places],
        hovertemplate=f"{down} %{{y}}, {across} %{{x}}<br>%{{text}}<extra></extra>",
        showlegend=False,
    )
    layout = {
        "height": 90 + 24 * rows,
        "hovermode": "closest",
        "hoverdistance": -1,  # the nearest centre is that of the cell, however wide
        "margin": {"l": 10, "r": 10, "t": 10, "b": 10},
        "xaxis": {"title": across, "type": "category", "showgrid": False},
        "yaxis": {"title": down, "type": "category", "autorange": "reversed", "showgrid": False},
    }
    figure = go.Figure([heat, cells], layout)
    if chosen is not None:
        row, column = chosen
        box = {"x0": column - 0.5, "x1": column + 0.5, "y0": row - 0.5, "y1": row + 0.5}
        figure.add_shape(type="rect", line={"color": ATTENTION, "width": 3}, **box)
    return figure


def draw_cells(figure: go.Figure, key: str, alt: str, shape: Cell, choose: Callable[[int, int], None]) -> None:
    """Draw a heat map. A click on a cell chooses it.

    Args:
        figure: figure of `heat_map`.
        key: key of the element.
        alt: description for screen readers.
        shape: numbers of rows and columns.
        choose: function called with row and column of the clicked cell, before the page runs again.
    """

    def take() -> None:
        number = selections.clicked(key)
        if number is None:  # a second click on a cell clears the selection
            number = st.session_state.get(last)
        if number is not None and number < shape[0] * shape[1]:
            st.session_state[last] = number
            choose(*divmod(number, shape[1]))

    last = f"{key}_clicked"

    draw_chart(figure, key, alt, on_select=take, selection_mode="points")
