"""Odd images: far from all others, with outlier tokens, or with unusual heads."""

from __future__ import annotations

import streamlit as st

from ....analysis.scan.queries.answers import STATISTICS
from ....analysis.scan.queries.index import NEIGHBOURS, USUAL, Index
from ....analysis.scan.queries.scan_run import ScanRun
from . import filters, image_list, scan_data

COUNT = 8  # images of a row


def draw(run: ScanRun, index: Index | None) -> None:
    """Draw the oddest images in each respect."""
    if index is None:
        st.caption("Odd images appear when the scan was read.")
        return
    outside = f"{100 * (1 - USUAL[1] + USUAL[0]):.0f} %"
    rows = {
        "isolation": (
            "Far from all others",
            f"Mean cosine distance of the feature to the {NEIGHBOURS} nearest of {index.reference_count:,} images.",
        ),
        "outliers": ("Most outlier tokens", "Patches whose last token has an outlier norm."),
        "unusual": (
            "Most unusual heads",
            f"Number of values, of all heads and statistics, in the outermost {outside}, estimated from "
            f"{index.axes_count:,} images.",
        ),
    }
    chosen = filters.current(run)
    offered = scan_data.limits(run, index)
    for name, (title, meaning) in rows.items():
        if name not in offered or not offered[name][1]:  # no image has any
            continue
        st.markdown(f"**{title}**  \n{meaning}")
        positions = tuple(scan_data.listed(run, index, chosen, name)[:COUNT].tolist())
        values = scan_data.statistics(run, index, positions, name)
        unit = STATISTICS[name][1]
        notes = ["" if value is None else f"{value:.3g} {unit}".strip() for value in values]
        image_list.gallery_of(run, positions, f"collection_odd_{name}", title, notes)
