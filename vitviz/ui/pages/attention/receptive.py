"""Section 7 of the page "Attention": how far heads look, against how far convolutions can see."""

from __future__ import annotations

import numpy as np
import streamlit as st

from ....viz.colour import ATTENTION, QUERY
from ....walkthrough.receptive_field import ReceptiveField, at_depth
from ...app import state
from ...app.messages import show_errors
from ...widgets import drawing
from ...widgets.panels import CHART
from ..lesson import sections
from . import charts
from .look import Look


def all_at_once(look: Look) -> None:
    """Distances of attention on the image, layer by layer."""
    signs = " Weights count by their size, whatever their sign." if look.signed else ""
    sections.section(
        "7 · Sees all of the image at once",
        "Every score of section 3 was computed for **every** patch: already in the first layer a token can take from "
        "anywhere. A convolutional network cannot; what one of its numbers can depend on, its receptive field, is a "
        "square that grows with depth. How far do the heads of this model really look? The circles have the mean "
        "attention distance of each head as radius: how far apart query and key patch are, weighted with attention, "
        f"averaged over all patches of this image.{signs}",
    )
    _through_the_layers(look)


@st.fragment
@show_errors()
def _through_the_layers(look: Look) -> None:
    distance = state.statistics(look.choice).distance
    side, layers = look.trace.config.patch_size, look.trace.layers
    depths = [at_depth(layer, layers, side) for layer in range(layers)]
    layer = 0
    if layers > 1:
        layer = st.slider("Layer", 1, layers, look.layer + 1, key=f"reach_layer_{layers}") - 1
    depth, reached = depths[layer], distance[layer]
    x, y = drawing.centre(look.patch, side)
    stroke = max(look.size) / 200
    fields = (
        (charts.CONVOLUTIONS, "3 × 3 on pixels", depth.on_pixels),
        (charts.ON_PATCHES, "3 × 3 on patches", depth.on_patches),
        (charts.RESNET, "ResNet-50", depth.resnet50),
    )
    shapes = [
        f'<circle cx="{x}" cy="{y}" r="{radius:.2f}" fill="none" stroke="{ATTENTION}" stroke-width="{stroke}" '
        'stroke-opacity="0.9"/>'
        for radius in reached
        if np.isfinite(radius)
    ]
    shapes += [_square(x, y, field.side, colour, 1.4 * stroke, look.size) for colour, _, field in fields]
    shapes.append(drawing.frame(look.patch, side, QUERY, 1.5 * stroke))
    picture, words = st.columns([5, 6], gap="medium", vertical_alignment="center")
    with picture:
        alt = f"Layer {layer + 1}: how far heads look from {look.name(look.query)}, and what convolutions can see"
        st.html(drawing.on_image(state.picture(look.choice, drawing.PHOTO), look.size, shapes, alt))
    with words:
        heads = f"{len(reached)} heads" if len(reached) > 1 else "1 head"
        low, high = np.nanmin(reached), np.nanmax(reached)
        span = f"{low:.1f} to {high:.1f} px away" if len(reached) > 1 else f"{low:.1f} px away"
        rows = [(_key(ATTENTION, "50%") + f"attention, {heads}", span)]
        rows += [
            (f"{_key(colour)}{name}<br><small>{field.layer}</small>", _seen(field)) for colour, name, field in fields
        ]
        st.html(drawing.table((f"layer {layer + 1} of {layers}", "looks, or can see"), rows))
        st.caption(
            f"The image has {look.size[0]} × {look.size[1]} pixels; larger squares end at its edge. A receptive "
            "field is what a network could use at most, an attention distance what this one does use."
        )
    figure = charts.reach(distance, layer, depths, max(look.size))
    st.plotly_chart(figure, config=CHART, key="reach", alt="Attention distance and reach by layer")
    st.caption(
        "Dots: mean attention distance of each head. Lines: how far convolutions of the same depth can reach "
        "from the centre of its receptive field, half its side."
    )


def _square(x: float, y: float, side: int, colour: str, stroke: float, size: tuple[int, int]) -> str:
    """A receptive field around a point, cut off at the edges of the image but seen there."""
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
