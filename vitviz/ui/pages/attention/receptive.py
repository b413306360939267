"""Section 8 of the page "Attention": what attention and convolutions can use, and what the heads do use."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
import streamlit as st
from plotly.subplots import make_subplots

from ....analysis.attention import patch_distances
from ....notation.marks import percent
from ....viz.colour import ATTENTION, NEUTRAL, QUERY
from ....walkthrough.receptive_field import RESNET50_BLOCKS, ReceptiveField, SameDepth, at_depth
from ...app import state
from ...app.messages import show_errors
from ...widgets import drawing
from ...widgets.charts import draw_chart
from . import head_view
from .head_view import HeadView

CONVOLUTIONS, ON_PATCHES, RESNET = "#e07b00", "#3e63dd", "#d6409f"


def all_at_once(view: HeadView) -> None:
    """Draw receptive fields and attention distances on the image, layer by layer."""
    view.section(
        "8 · Sees all of the image at once",
        "Attention can reach the whole image from layer 1, at the **resolution of a patch** ({P=} pixels). This is the "
        "key difference from a convolutional network (CNN): in its first layers, a value depends only on a small "
        "square, its receptive field.",
    )
    _through_the_layers(view.choice)


@st.fragment
@show_errors()
def _through_the_layers(choice: state.Choice) -> None:
    """Draw one layer's comparison; the view is looked up, because Streamlit keeps the arguments of a fragment."""
    view = head_view.current(choice)
    trace, size = view.trace, view.size
    distance, layers, side = state.statistics(view.choice).distance, trace.layers, trace.config.patch_size
    depths = [at_depth(layer, layers, side) for layer in range(layers)]
    layer = st.slider("Layer", 1, layers, 1, key=f"reach_layer_{layers}") - 1 if layers > 1 else 0
    x, y = drawing.centre(_place(view), side)
    picture, text = st.columns([5, 6], gap="medium", vertical_alignment="center")
    with picture:
        _draw_image(view, depths[layer], distance[layer])
    with text:
        rows = [(_key(ATTENTION, "50%") + "attention", "the whole image", percent(1.0))]
        rows += [
            (
                _key(colour) + name,
                f"{field.side} × {field.side} px",
                _share(field, x, y, size),
            )
            for colour, name, field in _fields(depths[layer])
        ]
        st.html(drawing.table((f"layer {layer + 1} of {layers}", "can use", "of the image"), rows))
        st.caption(_around(view))
        if layers == 1:
            with st.container(key="reach_whole"):
                st.caption(f"A model of one layer is compared with the whole ResNet-50, {RESNET50_BLOCKS} blocks.")
        elif covers(depths[0].resnet50, size):
            with st.container(key="reach_small"):
                st.caption(_small(depths[0].resnet50, size))
    used, uniform = distance[layer], uniform_distance(view)
    low, high = (number_of_pixels(float(end)) for end in (np.nanmin(used), np.nanmax(used)))
    span = f"{low} to {high}" if len(used) > 1 else low
    signs = " (by absolute value)" if view.signed else ""
    with st.container(key="reach_used"):
        view.draw_text(
            f"What the heads **do** use: mean attention distance {span} px in layer {layer + 1}{signs}. Uniform "
            f"attention: {number_of_pixels(uniform)} px."
        )
    figure = _chart(distance, layer, [_shares(depth, x, y, size) for depth in depths], uniform)
    with st.expander("All layers, and the networks compared"):
        alt = "What can be used, and mean attention distance, by layer"
        draw_chart(figure, "reach", alt)
        st.markdown(_same_depth(layer, layers, depths[layer]))


def uniform_distance(view: HeadView) -> float:
    """Return the mean attention distance of uniform attention to all patches, pixels."""
    return float(patch_distances(view.trace.grid, view.trace.config.patch_size).mean())


def number_of_pixels(distance: float) -> str:
    """Format a distance in pixels."""
    return f"{distance:.1f}"


def _place(view: HeadView) -> tuple[int, int]:
    """Return the patch that squares and circles are drawn around: the query, or the middle for a prefix token."""
    rows, columns = view.trace.grid
    return view.patch or (rows // 2, columns // 2)


def _around(view: HeadView) -> str:
    """Describe the centre of the squares and circles."""
    circles = "Squares: receptive fields. Circles: mean attention distance of each head, over all patches."
    if view.patch is None:
        return f"Around the middle, because {view.the(view.query)} has no position. {circles}"
    return f"Around {view.name(view.query)}. {circles}"


def covers(field: ReceptiveField, size: tuple[int, int]) -> bool:
    """Return True if a receptive field in the middle of an image covers all of it."""
    width, height = size
    return field.covered(width / 2, height / 2, width, height) == 1


def _small(field: ReceptiveField, size: tuple[int, int]) -> str:
    """State that the image is too small for the comparison."""
    return (
        f"This image is small, {size[0]} × {size[1]} px: from its middle, ResNet-50 ({field.side} × {field.side} px) "
        "sees all of it already at layer 1. The difference shows on larger images."
    )


def _same_depth(layer: int, layers: int, depth: SameDepth) -> str:
    """Describe the networks that a layer is compared with, as Markdown."""
    return (
        f"Layer {layer + 1} of {layers} is compared with {layer + 1} convolution{'s' * (layer > 0)} (3 × 3, on "
        f"pixels or on patches), and with ResNet-50 after the same share of its {RESNET50_BLOCKS} blocks "
        f"({depth.resnet50.layer}), so that both networks end together. These are theoretical receptive fields, "
        "the largest area that can have any influence; the effective ones are smaller. Mean attention distance: "
        "between the centres of query and key patch, weighted by attention, averaged over all query patches."
    )


def _fields(depth: SameDepth) -> tuple[tuple[str, str, ReceptiveField], ...]:
    return (
        (CONVOLUTIONS, "3 × 3 on pixels", depth.on_pixels),
        (ON_PATCHES, "3 × 3 on patches", depth.on_patches),
        (RESNET, "ResNet-50", depth.resnet50),
    )


def _draw_image(view: HeadView, depth: SameDepth, reached: np.ndarray) -> None:
    """Draw the image with receptive fields and attention distances around one patch."""
    place, side = _place(view), view.trace.config.patch_size
    x, y = drawing.centre(place, side)
    stroke = max(view.size) / 200
    shapes = [
        f'<circle cx="{x}" cy="{y}" r="{radius:.2f}" fill="none" stroke="{ATTENTION}" stroke-width="{stroke}" '
        'stroke-opacity="0.9"/>'
        for radius in reached
        if np.isfinite(radius)
    ]
    shapes += [_square(x, y, field.side, colour, 1.4 * stroke, view.size) for colour, _, field in _fields(depth)]
    if view.patch is not None:
        shapes.append(drawing.frame(place, side, QUERY, 1.5 * stroke))
    alt = f"Receptive fields of convolutions, and mean attention distances, around {view.name(view.query)}"
    st.html(drawing.on_image(state.picture(view.choice, drawing.PHOTO), view.size, shapes, alt))


def _square(x: float, y: float, side: int, colour: str, stroke: float, size: tuple[int, int]) -> str:
    """Return a receptive field around a point, clipped to the image with its border visible."""
    inset = stroke / 2
    left, top = max(x - side / 2, inset), max(y - side / 2, inset)
    right, bottom = min(x + side / 2, size[0] - inset), min(y + side / 2, size[1] - inset)
    return (
        f'<rect x="{left}" y="{top}" width="{right - left}" height="{bottom - top}" fill="none" stroke="{colour}" '
        f'stroke-width="{stroke}"/>'
    )


def _shares(depth: SameDepth, x: float, y: float, size: tuple[int, int]) -> tuple[float, ...]:
    return tuple(field.covered(x, y, *size) for *_, field in _fields(depth))


def _share(field: ReceptiveField, x: float, y: float, size: tuple[int, int]) -> str:
    return percent(field.covered(x, y, *size))


def _key(colour: str, radius: str = "0.2rem") -> str:
    return f'<span class="vv-key" style="border:2px solid {colour};border-radius:{radius}"></span>'


def _chart(distance: np.ndarray, layer: int, shares: Sequence[tuple[float, ...]], uniform: float) -> go.Figure:
    """Return a chart of what can be used (above) and of mean attention distances (below), by layer.

    Args:
        distance: mean attention distances, pixels [layer, head].
        layer: the chosen layer, from 0.
        shares: shares of the image that the three convolutional networks can use, for each layer.
        uniform: mean attention distance of uniform attention, pixels.
    """
    layers, heads = distance.shape
    x = np.arange(1, layers + 1)
    figure = make_subplots(2, 1, shared_xaxes=True, vertical_spacing=0.08)
    can = [("attention", ATTENTION, np.ones(layers))]
    names = (("3 × 3 on pixels", CONVOLUTIONS), ("3 × 3 on patches", ON_PATCHES), ("ResNet-50", RESNET))
    can += [(name, colour, np.array(of)) for (name, colour), of in zip(names, zip(*shares, strict=True), strict=True)]
    for name, colour, share in can:
        figure.add_scatter(
            x=x,
            y=100 * share,
            mode="lines+markers",
            line={"color": colour, "width": 1.5},
            marker={"size": 4},
            name=name,
            hovertemplate=f"layer %{{x}}, {name}<br>%{{y:.1f}} % of the image<extra></extra>",
            row=1,
            col=1,
        )
    figure.add_scatter(
        x=np.repeat(x, heads),
        y=distance.ravel(),
        text=[f"layer {a + 1}, head {b + 1}" for a in range(layers) for b in range(heads)],
        mode="markers",
        marker={"color": ATTENTION, "size": 6, "opacity": 0.6},
        showlegend=False,
        hovertemplate="%{text}<br>%{y:.1f} px<extra></extra>",
        row=2,
        col=1,
    )
    figure.add_hline(
        uniform, line={"color": NEUTRAL, "dash": "dash"}, annotation_text="uniform attention", row=2, col=1
    )
    figure.add_vline(layer + 1, line={"color": NEUTRAL, "dash": "dot"})
    figure.update_xaxes(title="layer", dtick=1 if layers <= 16 else 4, row=2, col=1)
    figure.update_yaxes(title="can use, %", range=[0, 108], row=1, col=1)
    figure.update_yaxes(title="does use, px", rangemode="tozero", row=2, col=1)
    return figure.update_layout(
        height=420,
        margin={"l": 10, "r": 10, "t": 10, "b": 10},
        showlegend=False,  # the table above the chart has the colours
        hoverlabel={"namelength": 0},
    )
