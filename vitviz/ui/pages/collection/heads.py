"""Heads' habits: the distribution of a statistic of every head, and the images at both ends."""

from __future__ import annotations

from functools import partial

import streamlit as st

from ....analysis.scan.queries.answers import STATISTICS
from ....analysis.scan.queries.index import USUAL, Index
from ....analysis.scan.queries.scan_run import LISTS, ScanRun
from ....viz import scan_figures
from ...app.settings import bound
from ...widgets import selections
from ...widgets.charts import draw_chart
from . import image_list, scan_data
from .settings import HEAD, STATISTIC

COUNT = 8  # images at each end
KEY = "collection_heads"


def draw(run: ScanRun, index: Index | None) -> None:
    """Draw the board, and the images at both ends of the chosen head."""
    if index is None:
        st.caption("The distributions appear when the scan was read.")
        return
    offered = [name for name in LISTS if name in index.habits]
    if not offered:
        st.info("The scan has no statistics of heads; scan the images again.")
        return
    name = STATISTIC.get() if STATISTIC.get() in offered else offered[0]
    STATISTIC.set(name)
    chosen = HEAD.get(run.digest)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        STATISTIC.draw(st.selectbox, "Statistic", offered, format_func=lambda one: STATISTICS[one][0], width=300)
        _boxes(run, chosen)
    habits, unit = index.habits[name], STATISTICS[name][1]
    low, high = float(habits.edges.min()), float(habits.edges.max())
    st.caption(
        f"Each curve is the distribution of a head over {habits.images:,} images; all axes run from {low:.3g} to "
        f"{high:.3g} {unit}. Click a head to see the images at both ends."
    )
    draw_chart(
        scan_figures.head_board(habits.counts, habits.edges, chosen, unit),
        KEY,
        f"{STATISTICS[name][0]} of every head over all images",
        on_select=partial(_take, run),
        selection_mode="points",
    )
    if chosen is not None:
        _ends(run, index, name, *chosen)


def _boxes(run: ScanRun, chosen: tuple[int, int] | None) -> None:
    """Draw boxes for the layer and the head, the way to choose a head without a mouse."""
    layer, head = chosen or (None, None)
    for label, count, value, take in (
        ("Layer", run.layers, layer, lambda one: _choose(run, one, head or 0)),
        ("Head", run.heads, head, lambda one: _choose(run, layer or 0, one)),
    ):
        bound(
            st.selectbox,
            label,
            list(range(count)),
            key=f"collection_{label.lower()}_{run.digest}",
            value=value,
            take=take,
            format_func=lambda one: str(one + 1),
            placeholder="Choose",
            width=110,
        )


def _choose(run: ScanRun, layer: int | None, head: int | None) -> None:
    if layer is not None and head is not None and 0 <= layer < run.layers and 0 <= head < run.heads:
        HEAD.set((layer, head), run.digest)


def _take(run: ScanRun) -> None:
    number = selections.clicked(KEY)
    if number is not None and number < run.layers * run.heads:
        HEAD.set(divmod(number, run.heads), run.digest)


def _ends(run: ScanRun, index: Index, name: str, layer: int, head: int) -> None:
    habits, (title, unit) = index.habits[name], STATISTICS[name]
    low, high = (float(habits.quantile(share)[layer, head]) for share in USUAL)
    found = scan_data.head_ends(run, name, layer, head, COUNT)
    st.markdown(
        f"**Layer {layer + 1}, head {head + 1}**: {title[0].lower()}{title[1:]} usually {low:.3g} to {high:.3g} {unit} "
        f"({100 * (USUAL[1] - USUAL[0]):.0f} % of the images)."
    )
    for end, positions, values in (
        ("Lowest", found.lowest, found.lowest_values),
        ("Highest", found.highest, found.highest_values),
    ):
        notes = [f"{value:.3g} {unit}" for value in values.tolist()]
        st.caption(end)
        image_list.gallery_of(run, positions.tolist(), f"collection_{end.lower()}", end, notes)
