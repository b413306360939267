"""Filters of the images, which apply to all sections."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import streamlit as st

from ....analysis.scan.queries.answers import STATISTICS, Filter
from ....analysis.scan.queries.index import Index
from ....analysis.scan.queries.scan_run import LONGEST, ScanRun, short
from ...app.settings import bound
from . import scan_data
from .settings import AMONG, AREA, FILTER, PAGE

OUTCOMES = {"all": None, "correct": True, "wrong": False}
WHOLE = ("outliers", "unusual")  # statistics that are counts


def current(run: ScanRun, area: bool = True) -> Filter:
    """Return the filter of the user.

    Args:
        run: the scan.
        area: whether the selection on the map belongs to it.
    """
    chosen = FILTER.get(run.digest) or Filter()
    return replace(chosen, area=AREA.get(run.digest), positions=AMONG.get(run.digest)) if area else chosen


def change(run: ScanRun, **fields: Any) -> None:
    """Change parts of the filter, and begin the list of images at its first page."""
    FILTER.set(replace(current(run, area=False), **fields), run.digest)
    PAGE.reset(run.digest)


def clear(run: ScanRun) -> None:
    """Remove all conditions."""
    for setting in (FILTER, AREA, AMONG, PAGE):
        setting.reset(run.digest)


def draw(run: ScanRun, index: Index | None) -> None:
    """Draw the filter, and a button that clears it."""
    chosen = current(run)
    with st.popover("Filter", icon=":material/filter_alt:"):
        for field, column, label in (("labels", "label", "Labels"), ("predictions", "prediction", "Predictions")):
            offered = scan_data.names_of(run, index, column)
            if offered:
                _names(run, label, field, offered, getattr(chosen, field))
        if scan_data.overview(run, index, Filter()).judged:
            outcome = next(name for name, value in OUTCOMES.items() if value is chosen.correct)
            bound(
                st.segmented_control,
                "Prediction",
                list(OUTCOMES),
                key="collection_outcome",
                value=outcome,
                take=lambda name: change(run, correct=OUTCOMES.get(name)),
                format_func=str.capitalize,
            )
        if index is not None:
            for name, (low, high) in scan_data.limits(run, index).items():
                if low < high:
                    _range(run, name, low, high, {one: ends for one, *ends in chosen.ranges}.get(name))
    if chosen != Filter():
        st.button(
            "Clear filter", key="collection_clear", icon=":material/filter_alt_off:", on_click=partial(clear, run)
        )


def _names(run: ScanRun, label: str, field: str, offered: Sequence[str], chosen: Sequence[str]) -> None:
    """Draw a box for names. Those that cannot be distinguished when they are shortened are told apart by number."""
    options = list(dict.fromkeys((*offered, *chosen)))

    def take(names: Sequence[str]) -> None:
        change(run, **{field: tuple(name for name in names if name in options)})

    bound(
        st.multiselect,
        label,
        options,
        key=f"collection_{field}_{run.digest}",
        value=list(chosen),
        take=take,
        format_func=lambda name: short(name, min(LONGEST, 60)),
    )


def _range(run: ScanRun, name: str, low: float, high: float, chosen: Sequence[float] | None) -> None:
    """Draw a slider for the range of a statistic."""
    title, unit = STATISTICS[name]
    number: Callable[[float], Any] = round if name in WHOLE else float
    ends = (number(low), number(high))
    value = tuple(min(max(number(one), ends[0]), ends[1]) for one in chosen or ends)

    def take(picked: Sequence[float]) -> None:
        others = tuple(one for one in current(run, area=False).ranges if one[0] != name)
        kept = () if tuple(picked) == ends else ((name, float(picked[0]), float(picked[1])),)
        change(run, ranges=(*others, *kept))

    bound(
        st.slider,
        f"{title}{unit and f', {unit}'}",
        *ends,
        key=f"collection_range_{name}_{run.digest}",
        value=value,
        take=take,
        **({} if name in WHOLE else {"step": (high - low) / 200}),
    )
