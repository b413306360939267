"""Section 2 of the page "Lens": the same read from each patch alone, as a map for each layer."""

from __future__ import annotations

import html

import numpy as np
import streamlit as st

from ....analysis.logit_lens import depth_words
from ....viz.colour import css_gradient
from ....viz.inline import png
from ...app import state
from ...app.messages import escape_markdown
from ...components.gallery import gallery
from ...components.patches import Overlay, patch_picker
from ...widgets import drawing, panels
from ..lesson import following, sections
from . import cached
from .charts import Curve, curves
from .look import Look, alone, choose_depth, go_to_depth
from .settings import ONE_SCALE

STYLE = """<style>
.vv-scale { display: flex; align-items: center; gap: 0.6rem; font-size: 0.85rem; margin-bottom: 0.7rem; }
.vv-scale i { flex: 0 1 16rem; height: 0.7rem; border-radius: 0.2rem; }
</style>"""


def patch_by_patch(look: Look) -> None:
    """One large map over the photo, all of them small beside it, and the chosen patch through all layers."""
    sections.section("2 · Patch by patch", f"The same, read from each patch on its own. {alone(look.trace)}")
    with st.empty():
        maps = cached.by_patch(look.choice, look.goal.key, look.goal.target)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="large"):
        choose_depth(look)
        shared = ONE_SCALE.draw(st.toggle, "One scale for all layers", context=look.goal.signed)
    left, right = st.columns([0.42, 0.58], gap="large")
    with left:
        large_map(look, maps, shared)
    with right:
        small_maps(look, maps, shared)
        chosen_patch(look, maps)


def large_map(look: Look, maps: np.ndarray, shared: bool) -> None:
    """The chosen depth over the photo; a click chooses a patch."""
    scale = "the largest of all layers" if shared else "the largest of this layer"
    patch_picker(
        state.picture(look.choice),
        look.choice.picked.name,
        look.trace.grid,
        following.chosen_patch(look.trace),
        on_choose=following.choose_patch,
        overlay=Overlay(
            maps[look.depth],
            f"{look.goal.what}, read from each patch alone, {depth_words(look.depth)}; colours end at {scale}",
            signed=look.goal.signed,
            largest=_largest(maps) if shared else None,
            format=look.goal.say,
        ),
        key="lens_picker",
    )


def small_maps(look: Look, maps: np.ndarray, shared: bool) -> None:
    """Every depth, on one scale or each on its own; a click chooses it."""
    names, say = [depth_words(depth) for depth in range(len(maps))], look.goal.say
    largest = _largest(maps) if shared else None
    st.html(STYLE + scale(look, largest))
    gallery(
        "Maps of all layers",
        {
            name: png(drawing.heat(values, signed=look.goal.signed, largest=largest))
            for name, values in zip(names, maps, strict=True)
        },
        chosen=names[look.depth],
        on_choose=lambda name: go_to_depth(look, names.index(name)),
        columns=4,
        titles=True,
        notes={
            name: f"{say(float(values.min()))} to {say(float(values.max()))}"
            for name, values in zip(names, maps, strict=True)
        },
        whole=True,
        key="lens_maps",
    )


def scale(look: Look, largest: float | None) -> str:
    """What the colours of the small maps mean, as HTML; each map has its own scale if there is no largest value."""
    end, opposite = ("its largest", "−largest") if largest is None else map(look.goal.say, (largest, -largest))
    low = opposite if look.goal.signed else "0"
    bar = f'<i style="background:{css_gradient("relative", look.goal.signed)}"></i>'
    return f'<div class="vv-scale"><span>{html.escape(low)}</span>{bar}<span>{html.escape(end)}</span></div>'


def chosen_patch(look: Look, maps: np.ndarray) -> None:
    """The chosen patch through all layers, beside the whole image."""
    row, column = following.chosen_patch(look.trace)
    name, values = f"patch ({row + 1}, {column + 1})", maps[:, row, column]
    said = [look.goal.say(float(value)) for value in values]
    here = f"{said[look.depth]} {depth_words(look.depth)}, " if look.depth < look.trace.layers else ""
    panels.panel(f"P{name[1:]} through the layers", f"{escape_markdown(look.goal.what)}: {here}{said[-1]} at the end.")
    whole = [look.goal.say(float(value)) for value in look.goal.curve]
    drawn = [Curve(name, values, said, bold=True), Curve("the whole image", look.goal.curve, whole)]
    unit = "cosine" if look.goal.signed else "probability"
    chart = curves(drawn, unit, look.depth, signed=look.goal.signed, height=240)
    st.plotly_chart(chart, config=panels.CHART, key="lens_patch", alt=f"{look.goal.what} of {name} over the layers")


def _largest(maps: np.ndarray) -> float:
    return float(np.abs(maps).max())
