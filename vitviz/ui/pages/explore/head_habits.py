"""Heads that differ from their habit on this image, if the server has a scan by the same model."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import streamlit as st

from ....analysis.attention import HeadStatistics
from ....errors import VitvizError
from ....trace.saved_weights import fingerprint
from ...app import scans, state
from ...app.cache import cached
from ...app.messages import escape_markdown

if TYPE_CHECKING:  # it needs pyarrow
    from ....analysis.scan.queries.scan_run import ScanRun

MOST = 3  # heads that are named
NAMES = {"entropy": ("entropy", "bit"), "distance": ("mean attention distance", "px")}


class Unusual(NamedTuple):
    """Head outside its usual range.

    Attributes:
        layer: layer, from 0.
        head: head, from 0.
        statistic: name of the statistic in the scan.
        value: its value for this image.
        low: lower end of the usual range.
        high: upper end.
    """

    layer: int
    head: int
    statistic: str
    value: float
    low: float
    high: float

    def text(self) -> str:
        """Describe the head in one line."""
        name, unit = NAMES[self.statistic]
        return (
            f"Layer {self.layer + 1}, head {self.head + 1}: {name} {self.value:.3g} {unit}, usually {self.low:.3g} to "
            f"{self.high:.3g}"
        )


def draw(choice: state.Choice, statistics: HeadStatistics) -> None:
    """Name the heads that differ the most; nothing is drawn without a scan by this model at this size and fit."""
    run = scan_of(choice)
    if run is None:
        return
    from ....analysis.scan.queries.index import USUAL
    from ..collection.scan_data import known_index

    index = known_index(run)
    if index is None:
        return
    found, values, images = [], 0, 0
    for name in NAMES:
        now, habits = getattr(statistics, name), index.habits.get(name)
        if now is None or habits is None or now.shape != habits.counts.shape[:2]:
            continue
        ends = tuple(habits.quantile(share) for share in USUAL)
        found += unusual_heads(name, now, *ends)
        values, images = values + now.size, habits.images
    if not values:
        return
    outside = 1 - (USUAL[1] - USUAL[0])
    found.sort(key=lambda one: -_excess(one))
    usual = round(100 * (USUAL[1] - USUAL[0]))
    st.markdown("  \n".join(["**Unusual heads of this image**", *(one.text() for one in found[:MOST])]))
    st.caption(
        f"{len(found)} of {values} values are outside the usual range, that of {usual} % of the {images:,} images of "
        f"the scan {escape_markdown(run.name)}; {outside * values:.0f} would be no surprise."
    )


def unusual_heads(statistic: str, now: np.ndarray, low: np.ndarray, high: np.ndarray) -> list[Unusual]:
    """Return the heads whose statistic is outside its range; all arrays are [layer, head]."""
    outside = np.argwhere((now < low) | (now > high))
    return [
        Unusual(int(layer), int(head), statistic, *(float(part[layer, head]) for part in (now, low, high)))
        for layer, head in outside
    ]


def _excess(one: Unusual) -> float:
    """Return the distance from the range, relative to its width."""
    return max(one.low - one.value, one.value - one.high) / max(one.high - one.low, 1e-6)


def scan_of(choice: state.Choice) -> ScanRun | None:
    """Return the first scan by the same model with the same weights, input size and fit; None if there is none."""
    for name in scans.names():
        try:
            run = _opened(name, scans.stamp(name))
        except VitvizError:
            continue
        size = run.size[0] if run.size[0] == run.size[1] else run.size
        if (run.model, size, run.fit) != (choice.model, choice.size, choice.fit):
            continue
        if run.weights == _fingerprint(choice.model, choice.key[2], choice):
            return run
    return None


@cached()
def _opened(name: str, stamp: tuple[int, ...]) -> ScanRun:
    return scans.opened(name)


@cached()
def _fingerprint(model: str, version: str, _choice: state.Choice) -> str:
    return fingerprint(state.model(model))
