"""Section 2 of the page "Lens": the same read from each patch alone, as a map for each layer."""

from __future__ import annotations

import html

import numpy as np
import streamlit as st

from ...colour import colour_map
from ...logit_lens import depth_words
from .. import panels, state
from ..inline import data_url
from ..learn import common, drawing, following
from ..patches import Overlay, patch_picker
from ..words import literally
from . import cached
from .charts import Curve, curves
from .look import Look, alone, choose_depth

STYLE = """<style>
.vv-scale { display: flex; align-items: center; gap: 0.6rem; font-size: 0.85rem; margin-bottom: 0.7rem; }
.vv-scale i { flex: 0 1 16rem; height: 0.7rem; border-radius: 0.2rem; }
</style>"""


def patch_by_patch(look: Look) -> None:
    """One large map over the photo, all of them small beside it, and the chosen patch through all layers."""
    common.section("2 · Patch by patch", f"The same, read from each patch on its own. {alone(look.trace)}")
    with st.empty():
        maps = cached.by_patch(look.choice, look.goal.key, look.goal.target)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="large"):
        choose_depth(look)
        shared = st.toggle("One scale for all layers", value=True, key="lens_shared_scale")
    left, right = st.columns([0.42, 0.58], gap="large")
    with left:
        large_map(look, maps, shared)
    with right:
        st.html(STYLE + small_maps(look, maps, shared))
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
            say=look.goal.say,
        ),
        key="lens_picker",
    )


def small_maps(look: Look, maps: np.ndarray, shared: bool) -> str:
    """Every depth, on one scale or each on its own, as HTML."""
    names = [depth_words(depth) for depth in range(len(maps))]
    if not shared:
        drawn = list(zip(names, maps, strict=True))
        return drawing.maps(drawn, signed=look.goal.signed, chosen=look.depth, say=look.goal.say)
    largest, say = _largest(maps), look.goal.say
    figures = []
    for depth, values in enumerate(maps):
        range_words = f"{say(float(values.min()))} to {say(float(values.max()))}"
        image = data_url(drawing.heat(values, signed=look.goal.signed, largest=largest))
        figures.append(
            f'<figure{" class=chosen" if depth == look.depth else ""}><img alt="{names[depth]}: {range_words}" '
            f'src="{image}">{names[depth]}<br><small>{range_words}</small></figure>'
        )
    low = say(-largest) if look.goal.signed else "0"
    stops = ", ".join("rgb({},{},{})".format(*colour) for colour in colour_map("share", look.goal.signed)[::15])
    bar = f'<i style="background:linear-gradient(to right, {stops})"></i>'
    return (
        f'<div class="vv-scale"><span>{html.escape(low)}</span>{bar}<span>{html.escape(say(largest))}</span></div>'
        f'<div class="vv-maps" style="--side:6.2rem">{"".join(figures)}</div>'
    )


def chosen_patch(look: Look, maps: np.ndarray) -> None:
    """The chosen patch through all layers, beside the whole image."""
    row, column = following.chosen_patch(look.trace)
    name, values = f"patch ({row + 1}, {column + 1})", maps[:, row, column]
    said = [look.goal.say(float(value)) for value in values]
    here = f"{said[look.depth]} {depth_words(look.depth)}, " if look.depth < look.trace.layers else ""
    panels.panel(f"P{name[1:]} through the layers", f"{literally(look.goal.what)}: {here}{said[-1]} at the end.")
    whole = [look.goal.say(float(value)) for value in look.goal.curve]
    drawn = [Curve(name, values, said, bold=True), Curve("the whole image", look.goal.curve, whole)]
    unit = "cosine" if look.goal.signed else "probability"
    chart = curves(drawn, unit, look.depth, signed=look.goal.signed, height=240)
    st.plotly_chart(chart, config=panels.CHART, key="lens_patch", alt=f"{look.goal.what} of {name} over the layers")


def _largest(maps: np.ndarray) -> float:
    return float(np.abs(maps).max())
