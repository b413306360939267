"""Charts on a page, with larger type in projector mode."""

from __future__ import annotations

from typing import Any

import numpy as np
import plotly.graph_objects as go
import streamlit as st
from plotly.basedatatypes import BasePlotlyType, BaseTraceType
from streamlit.delta_generator import DeltaGenerator

from ..app.projector import PROJECTOR, label_size

CONFIG = {"displayModeBar": False}  # its buttons would cover the legend
USUAL = 12  # pixels of Streamlit's type in charts
HIGHEST = 19  # lines of type; a chart, its axes and the bar of the projector mode fit into the window
MOST_TICKS = 8  # on the x axis
SQUARE_ENDS = 0.68  # right end of a square in a wide chart, as a share of the width; it is then in the middle


def draw_chart(figure: go.Figure, key: str, alt: str, place: DeltaGenerator | None = None, **options: Any) -> None:
    """Draw a chart.

    Args:
        figure: the chart, which is modified.
        key: key of the element.
        alt: description for screen readers.
        place: container; by default, the current one.
        **options: further arguments of `st.plotly_chart`; `config` is added to `CONFIG`.
    """
    config = CONFIG | options.pop("config", {})
    if PROJECTOR.get():
        enlarge(figure, label_size())
    (st if place is None else place).plotly_chart(figure, config=config, key=key, alt=alt, **options)


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
        legend={"font": font, "title": {"font": font}, "itemwidth": max(30, 1.25 * size)},
        hoverlabel={"font": font},
        margin={"l": 10, "r": 2 * size, "t": size, "b": 10},  # the last label of an axis is centred on its end
    )
    axis = {"tickfont": font, "title": {"font": font, "standoff": size}, "automargin": True}
    figure.update_xaxes(axis)
    figure.update_yaxes(axis)
    for x in figure.select_xaxes():
        if x.type != "category" and x.tickvals is None:
            x.update(nticks=MOST_TICKS, dtick=None)
    figure.update_annotations(font=font)
    for shape in figure.layout.shapes:
        shape.line.width = factor * (2 if shape.line.width is None else shape.line.width)
    bars = [bar for trace in figure.data if (bar := _colour_bar(trace)) is not None]
    for bar in bars:
        bar.update(tickfont=font, title={"font": font}, thickness=factor * (bar.thickness or 15))
    if any(y.scaleanchor for y in figure.select_yaxes()):
        figure.update_xaxes(domain=[0, SQUARE_ENDS])
        for bar in bars:
            bar.x = SQUARE_ENDS + 0.02
    for trace in figure.data:
        if "marker" in trace and (size_of := getattr(trace.marker, "size", None)) is not None:
            trace.marker.size = factor * size_of if np.isscalar(size_of) else [factor * one for one in size_of]
        if "line" in trace:
            trace.line.width = factor * (trace.line.width or 2)


def _colour_bar(trace: BaseTraceType) -> BasePlotlyType | None:
    """Return the colour bar of a heat map, or of markers, which also draw that of an image; None if there is none."""
    if "colorbar" in trace:
        return None if trace.showscale is False else trace.colorbar
    return trace.marker.colorbar if "marker" in trace and trace.marker.showscale else None
