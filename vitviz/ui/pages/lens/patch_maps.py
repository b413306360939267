"""Section 2 of the page "Lens": the same read from each patch alone, as a map for each layer."""

from __future__ import annotations

import html

import numpy as np
import streamlit as st

from ....analysis.logit_lens import depth_words
from ....viz.colour import css_gradient
from ....viz.inline import png
from ...app import state
from ...app.words import literally
from ...components.gallery import gallery
from ...components.patches import Overlay, patch_picker
from ...widgets import drawing, panels
from ..lesson import followed_patch, sections
from . import lens_outputs
from .depth_curves import Curve, curves
from .lens_view import LensView, alone, choose_depth, go_to_depth
from .settings import ONE_SCALE

STYLE = """<style>
.vv-scale { display: flex; align-items: center; gap: 0.6rem; font-size: 0.85rem; margin-bottom: 0.7rem; }
.vv-scale i { flex: 0 1 16rem; height: 0.7rem; border-radius: 0.2rem; }
</style>"""


def patch_by_patch(view: LensView) -> None:
    """One large map over the photo, all of them small beside it, and the chosen patch through all layers."""
    sections.section("2 · Patch by patch", f"The same, read from each patch on its own. {alone(view.trace)}")
    with st.empty():
        maps = lens_outputs.by_patch(view.choice, view.goal.key, view.goal.target)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="large"):
        choose_depth(view)
        shared = ONE_SCALE.draw(st.toggle, "One scale for all layers", context=view.goal.signed)
    left, right = st.columns([0.42, 0.58], gap="large")
    with left:
        large_map(view, maps, shared)
    with right:
        small_maps(view, maps, shared)
        chosen_patch(view, maps)


def large_map(view: LensView, maps: np.ndarray, shared: bool) -> None:
    """The chosen depth over the photo; a click chooses a patch."""
    scale = "the largest of all layers" if shared else "the largest of this layer"
    patch_picker(
        state.picture(view.choice),
        view.choice.picked.name,
        view.trace.grid,
        followed_patch.chosen_patch(view.trace),
        on_choose=followed_patch.choose_patch,
        overlay=Overlay(
            maps[view.depth],
            f"{view.goal.what}, read from each patch alone, {depth_words(view.depth)}; colours end at {scale}",
            signed=view.goal.signed,
            largest=_largest(maps) if shared else None,
            say=view.goal.say,
        ),
        key="lens_picker",
    )


def small_maps(view: LensView, maps: np.ndarray, shared: bool) -> None:
    """Every depth, on one scale or each on its own; a click chooses it."""
    names, say = [depth_words(depth) for depth in range(len(maps))], view.goal.say
    largest = _largest(maps) if shared else None
    st.html(STYLE + scale(view, largest))
    gallery(
        "Maps of all layers",
        {
            name: png(drawing.heat(values, signed=view.goal.signed, largest=largest))
            for name, values in zip(names, maps, strict=True)
        },
        chosen=names[view.depth],
        on_choose=lambda name: go_to_depth(view, names.index(name)),
        columns=4,
        titles=True,
        notes={
            name: f"{say(float(values.min()))} to {say(float(values.max()))}"
            for name, values in zip(names, maps, strict=True)
        },
        whole=True,
        key="lens_maps",
    )


def scale(view: LensView, largest: float | None) -> str:
    """What the colours of the small maps mean, as HTML; each map has its own scale if there is no largest value."""
    end, opposite = ("its largest", "−largest") if largest is None else map(view.goal.say, (largest, -largest))
    low = opposite if view.goal.signed else "0"
    bar = f'<i style="background:{css_gradient("relative", view.goal.signed)}"></i>'
    return f'<div class="vv-scale"><span>{html.escape(low)}</span>{bar}<span>{html.escape(end)}</span></div>'


def chosen_patch(view: LensView, maps: np.ndarray) -> None:
    """The chosen patch through all layers, beside the whole image."""
    row, column = followed_patch.chosen_patch(view.trace)
    name, values = f"patch ({row + 1}, {column + 1})", maps[:, row, column]
    said = [view.goal.say(float(value)) for value in values]
    here = f"{said[view.depth]} {depth_words(view.depth)}, " if view.depth < view.trace.layers else ""
    panels.panel(f"P{name[1:]} through the layers", f"{literally(view.goal.what)}: {here}{said[-1]} at the end.")
    whole = [view.goal.say(float(value)) for value in view.goal.curve]
    drawn = [Curve(name, values, said, bold=True), Curve("the whole image", view.goal.curve, whole)]
    unit = "cosine" if view.goal.signed else "probability"
    chart = curves(drawn, unit, view.depth, signed=view.goal.signed, height=240)
    st.plotly_chart(chart, config=panels.CHART, key="lens_patch", alt=f"{view.goal.what} of {name} over the layers")


def _largest(maps: np.ndarray) -> float:
    return float(np.abs(maps).max())
