"""Section 7 of the page "Attention": mean attention distance beside receptive fields of convolutions."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from ....viz.colour import ATTENTION, NEUTRAL, QUERY
from ....walkthrough.receptive_field import ReceptiveField, SameDepth, at_depth
from ...app import state
from ...app.messages import show_errors
from ...widgets import drawing
from ...widgets.panels import CHART
from ..lesson import sections
from .head_view import HeadView

CONVOLUTIONS, ON_PATCHES, RESNET = "#e07b00", "#12a594", "#d6409f"


def all_at_once(view: HeadView) -> None:
    """Draw attention distances and receptive fields on the image, layer by layer."""
    signs = " Weights count by their size, whatever their sign." if view.signed else ""
    sections.section(
        "7 · Sees all of the image at once",
        "Every score of section 3 was computed for **every** patch: already in the first layer a token can take from "
        "anywhere. A convolutional network cannot; what one of its numbers can depend on, its receptive field, is a "
        "square that grows with depth. How far do the heads of this model really look? The circles have the mean "
        "attention distance of each head as radius: how far apart query and key patch are, weighted with attention, "
        f"averaged over all patches of this image.{signs}",
    )
    _through_the_layers(view)


@st.fragment
@show_errors()
def _through_the_layers(view: HeadView) -> None:
    distance = state.statistics(view.choice).distance
    side, layers = view.trace.config.patch_size, view.trace.layers
    depths = [at_depth(layer, layers, side) for layer in range(layers)]
    layer = 0
    if layers > 1:
        layer = st.slider("Layer", 1, layers, view.layer + 1, key=f"reach_layer_{layers}") - 1
    depth, reached = depths[layer], distance[layer]
    x, y = drawing.centre(view.patch, side)
    stroke = max(view.size) / 200
    fields = (
        (CONVOLUTIONS, "3 × 3 on pixels", depth.on_pixels),
        (ON_PATCHES, "3 × 3 on patches", depth.on_patches),
        (RESNET, "ResNet-50", depth.resnet50),
    )
    shapes = [
        f'<circle cx="{x}" cy="{y}" r="{radius:.2f}" fill="none" stroke="{ATTENTION}" stroke-width="{stroke}" '
        'stroke-opacity="0.9"/>'
        for radius in reached
        if np.isfinite(radius)
    ]
    shapes += [_square(x, y, field.side, colour, 1.4 * stroke, view.size) for colour, _, field in fields]
    shapes.append(drawing.frame(view.patch, side, QUERY, 1.5 * stroke))
    picture, text = st.columns([5, 6], gap="medium", vertical_alignment="center")
    with picture:
        alt = f"Layer {layer + 1}: how far heads look from {view.name(view.query)}, and what convolutions can see"
        st.html(drawing.on_image(state.picture(view.choice, drawing.PHOTO), view.size, shapes, alt))
    with text:
        heads = f"{len(reached)} heads" if len(reached) > 1 else "1 head"
        low, high = np.nanmin(reached), np.nanmax(reached)
        span = f"{low:.1f} to {high:.1f} px away" if len(reached) > 1 else f"{low:.1f} px away"
        rows = [(_key(ATTENTION, "50%") + f"attention, {heads}", span)]
        rows += [
            (f"{_key(colour)}{name}<br><small>{field.layer}</small>", _seen(field)) for colour, name, field in fields
        ]
        st.html(drawing.table((f"layer {layer + 1} of {layers}", "looks, or can see"), rows))
        st.caption(
            f"The image has {view.size[0]} × {view.size[1]} pixels; larger squares end at its edge. A receptive "
            "field is what a network could use at most, an attention distance what this one does use."
        )
    figure = _reach_chart(distance, layer, depths, max(view.size))
    st.plotly_chart(figure, config=CHART, key="reach", alt="Attention distance and reach by layer")
    st.caption(
        "Dots: mean attention distance of each head. Lines: how far convolutions of the same depth can reach "
        "from the centre of its receptive field, half its side."
    )


def _square(x: float, y: float, side: int, colour: str, stroke: float, size: tuple[int, int]) -> str:
    """Return a receptive field around a point, clipped to the image with its border visible."""
    inset = stroke / 2
    left, top = max(x - side / 2, inset), max(y - side / 2, inset)
    right, bottom = min(x + side / 2, size[0] - inset), min(y + side / 2, size[1] - inset)
    return (
        f'<rect x="{left}" y="{top}" width="{right - left}" height="{bottom - top}" fill="none" stroke="{colour}" '
        f'stroke-width="{stroke}"/>'
    )


def _seen(field: ReceptiveField) -> str:
    return f"up to {field.reach:g} px away<br><small>{field.side} × {field.side} px</small>"


def _key(colour: str, radius: str = "0.2rem") -> str:
    return f'<span class="vv-key" style="border:2px solid {colour};border-radius:{radius}"></span>'


def _reach_chart(distance: np.ndarray, layer: int, depths: list[SameDepth], side: int) -> go.Figure:
    """Return a chart of mean attention distances and of the reach of convolutions.

    Args:
        distance: mean attention distances, pixels [layer, head].
        layer: the chosen layer, from 0.
        depths: convolutional networks at the depth of each layer.
        side: the longer side of the image, pixels; sets the range of the y axis.
    """
    layers, heads = distance.shape
    x = np.arange(1, layers + 1)
    figure = go.Figure()
    figure.add_scatter(
        x=np.repeat(x, heads),
        y=distance.ravel(),
        text=[f"layer {a + 1}, head {b + 1}" for a in range(layers) for b in range(heads)],
        mode="markers",
        marker={"color": ATTENTION, "size": 6, "opacity": 0.6},
        name="each head looks this far",
        hovertemplate="%{text}<br>%{y:.1f} px<extra></extra>",
    )
    for name, colour, dash, fields in (
        ("ResNet-50 can", RESNET, "solid", [depth.resnet50 for depth in depths]),
        ("3 × 3 on patches can", ON_PATCHES, "dash", [depth.on_patches for depth in depths]),
        ("3 × 3 on pixels can", CONVOLUTIONS, "solid", [depth.on_pixels for depth in depths]),
    ):
        figure.add_scatter(
            x=x,
            y=[field.reach for field in fields],
            text=[field.layer for field in fields],
            mode="lines+markers",
            line={"color": colour, "dash": dash, "width": 1.5},
            marker={"size": 4},
            name=name,
            hovertemplate="%{text}<br>reaches %{y:.1f} px<extra></extra>",
        )
    figure.add_vline(layer + 1, line={"color": NEUTRAL, "dash": "dot"})
    figure.update_xaxes(title="layer", dtick=1 if layers <= 16 else 4)
    figure.update_yaxes(title="pixels", range=[0, 1.08 * side])
    return figure.update_layout(
        height=340,
        margin={"l": 10, "r": 10, "t": 10, "b": 10},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        hoverlabel={"namelength": 0},
    )
