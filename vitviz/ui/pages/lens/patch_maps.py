"""Section 2 of the page "Lens": readout of each patch alone, as a map for each layer."""

from __future__ import annotations

import html

import numpy as np
import streamlit as st

from ....analysis.logit_lens import depth_label
from ....viz.colour import css_gradient
from ....viz.inline import png
from ...app import state
from ...app.messages import escape_markdown
from ...components.gallery import gallery
from ...components.patches import Overlay, patch_picker
from ...widgets import drawing, panels
from ...widgets.charts import draw_chart
from ..lesson import followed_token, sections
from . import lens_outputs
from .depth_curves import Curve, curves
from .lens_view import LensView, choose_depth, go_to_depth, patch_readout_description
from .settings import ONE_SCALE

STYLE = """<style>
.vv-scale { display: flex; align-items: center; gap: 0.6rem; font-size: 0.85rem; margin-bottom: 0.7rem; }
.vv-scale i { flex: 0 1 16rem; height: 0.7rem; border-radius: 0.2rem; }
</style>"""


def patch_by_patch(view: LensView) -> None:
    """Draw one large map over the image, small maps of all layers, and the chosen patch by layer."""
    sections.section(
        "2 · Patch by patch", f"The same readout, applied to each patch alone. {patch_readout_description(view.trace)}"
    )
    with st.empty():
        maps = lens_outputs.patch_outputs(view.choice, view.target.key, view.target.value)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="large"):
        choose_depth(view)
        shared = ONE_SCALE.draw(st.toggle, "Same scale for all layers", context=view.target.signed)
    left, right = st.columns([0.42, 0.58], gap="large")
    with left:
        large_map(view, maps, shared)
    with right:
        small_maps(view, maps, shared)
        chosen_patch(view, maps)


def large_map(view: LensView, maps: np.ndarray, shared: bool) -> None:
    """Draw the map of the chosen depth over the image; a click chooses a patch."""
    scale = "the largest value of all layers" if shared else "the largest value of this layer"
    patch_picker(
        state.picture(view.choice),
        view.choice.picked.name,
        view.trace.grid,
        followed_token.followed_patch(view.trace),
        on_choose=followed_token.follow_patch,
        overlay=Overlay(
            maps[view.depth],
            f"{view.target.quantity}, read from each patch alone, {depth_label(view.depth)}; colours up to {scale}",
            signed=view.target.signed,
            largest=_largest(maps) if shared else None,
            format=view.target.format,
        ),
        key="lens_picker",
    )


def small_maps(view: LensView, maps: np.ndarray, shared: bool) -> None:
    """Draw the maps of all depths, on one scale or each on its own; a click chooses the depth."""
    names, format_value = [depth_label(depth) for depth in range(len(maps))], view.target.format
    largest = _largest(maps) if shared else None
    st.html(STYLE + scale(view, largest))
    gallery(
        "Maps of all layers",
        {
            name: png(drawing.heat(values, signed=view.target.signed, largest=largest))
            for name, values in zip(names, maps, strict=True)
        },
        chosen=names[view.depth],
        on_choose=lambda name: go_to_depth(view, names.index(name)),
        columns=4,
        titles=True,
        notes={
            name: f"{format_value(float(values.min()))} to {format_value(float(values.max()))}"
            for name, values in zip(names, maps, strict=True)
        },
        whole=True,
        key="lens_maps",
    )


def scale(view: LensView, largest: float | None) -> str:
    """Return the colour scale of the small maps as HTML; without `largest`, each map has its own scale."""
    end, opposite = ("its maximum", "−maximum") if largest is None else map(view.target.format, (largest, -largest))
    low = opposite if view.target.signed else "0"
    bar = f'<i style="background:{css_gradient("relative", view.target.signed)}"></i>'
    return f'<div class="vv-scale"><span>{html.escape(low)}</span>{bar}<span>{html.escape(end)}</span></div>'


def chosen_patch(view: LensView, maps: np.ndarray) -> None:
    """Draw the curve of the chosen patch beside that of the whole image."""
    row, column = followed_token.followed_patch(view.trace)
    name, values = f"patch ({row + 1}, {column + 1})", maps[:, row, column]
    labels = [view.target.format(float(value)) for value in values]
    here = f"{labels[view.depth]} {depth_label(view.depth)}, " if view.depth < view.trace.layers else ""
    panels.panel(
        f"P{name[1:]} by layer",
        f"{escape_markdown(view.target.quantity)}: {here}{labels[-1]} after the last layer.",
    )
    whole = [view.target.format(float(value)) for value in view.target.curve]
    drawn = [Curve(name, values, labels, bold=True), Curve("the whole image", view.target.curve, whole)]
    unit = "cosine" if view.target.signed else "probability"
    chart = curves(drawn, unit, view.depth, signed=view.target.signed, height=240)
    draw_chart(chart, "lens_patch", f"{view.target.quantity} of {name} by layer")


def _largest(maps: np.ndarray) -> float:
    return float(np.abs(maps).max())
