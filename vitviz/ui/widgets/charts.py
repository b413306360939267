"""Charts on a page, with larger type in projector mode."""

from __future__ import annotations

from typing import Any

import plotly.graph_objects as go
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from ..app.projector import PROJECTOR, label_size

CONFIG = {"displayModeBar": False}  # its buttons would cover the legend
USUAL = 12  # pixels of Streamlit's type in charts
HIGHEST = 19  # lines of type; a chart, its axes and the bar of the projector mode fit into the window
MOST_TICKS = 8  # on the x axis


def draw_chart(figure: go.Figure, key: str, alt: str, place: DeltaGenerator | None = None, **options: Any) -> None:
    """Draw a chart.

    Args:
        figure: the chart, which is modified.
        key: key of the element.
        alt: description for screen readers.
        place: container; by default, the current one.
        **options: further arguments of `st.plotly_chart`.
    """
    if PROJECTOR.get():
        enlarge(figure, label_size())
    (st if place is None else place).plotly_chart(figure, config=CONFIG, key=key, alt=alt, **options)


def enlarge(figure: go.Figure, size: float) -> None:
    """Enlarge the type, lines and markers of a chart, and its height.

    A style that enlarges the whole chart in the browser does not work: Streamlit draws a chart as large as its place
    appears, and the style would enlarge it again.

    Args:
        figure: the chart.
        size: size of the type in pixels.
    """
    font, factor = {"size": size}, size / USUAL
    figure.update_layout(
        font=font,
        height=figure.layout.height and round(min(factor * figure.layout.height, HIGHEST * size)),
        legend={"font": font, "title": {"font": font}},
        margin={"l": 10, "r": 2 * size, "t": size, "b": 10},  # the last label of an axis is centred on its end
    )
    axis = {"tickfont": font, "title": {"font": font, "standoff": size}, "automargin": True}
    figure.update_xaxes(axis)
    figure.update_yaxes(axis)
    for x in figure.select_xaxes():
        if x.type != "category" and x.tickvals is None:
            x.update(nticks=MOST_TICKS, dtick=None)
    figure.update_annotations(font=font)
    for trace in figure.data:
        if getattr(trace, "showscale", None) is not False and "colorbar" in trace:
            trace.colorbar.update(
                tickfont=font, title={"font": font}, thickness=factor * (trace.colorbar.thickness or 15)
            )
        if "marker" in trace and isinstance(size_of := getattr(trace.marker, "size", None), int | float):
            trace.marker.size = factor * size_of
        if "line" in trace:
            trace.line.width = factor * (trace.line.width or 2)
