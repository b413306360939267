"""Accuracy and confusion matrix, for scans with labels."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import streamlit as st

from ....analysis.scan.queries.answers import MOST_CLASSES, Confusion
from ....analysis.scan.queries.index import Index
from ....analysis.scan.queries.scan_run import ScanRun
from ....notation.marks import percent
from ....viz import scan_figures
from ...app.settings import bound
from ...widgets import selections
from ...widgets.charts import draw_chart
from . import filters, image_list, scan_data
from .scan_map import plain
from .settings import ORDER

KEY = "collection_confusion"


def draw(run: ScanRun, index: Index | None) -> None:
    """Draw the confusion matrix, and the images of the chosen cell."""
    chosen = filters.current(run)
    others = replace(chosen, labels=(), predictions=(), correct=None)  # the matrix shows all cells
    overview = scan_data.overview(run, index, others)
    if overview.accuracy is None:
        st.info(
            "No image has a label that is a class of the model, so there is nothing to compare with. Scan with "
            "--labels to get accuracies."
        )
    else:
        found = scan_data.confusion(run, index, others)
        st.markdown(
            f"**Accuracy {percent(overview.accuracy)}**: {overview.correct:,} of {overview.judged:,} images. Click a "
            "cell to see its images."
        )
        if found.left_out:
            st.caption(
                f"The matrix has the {MOST_CLASSES} most frequent names; {found.left_out:,} images are in other cells."
            )
        draw_chart(
            scan_figures.confusion_matrix([plain(name) for name in found.labels], found.counts),
            KEY,
            "Confusion matrix: labels in rows, predictions in columns",
            on_select=partial(_take, run, found),
            selection_mode="points",
        )
        _cells(run, found)
    image_list.draw(run, index, chosen)


def _cells(run: ScanRun, found: Confusion) -> None:
    """Draw a list of the most frequent mistakes, which is also the way to choose a cell without a mouse."""
    wrong = [
        (int(found.counts[row, column]), found.labels[row], found.labels[column])
        for row in range(len(found.labels))
        for column in range(len(found.labels))
        if row != column and found.counts[row, column]
    ]
    if not wrong:
        return
    most = sorted(wrong, key=lambda one: (-one[0], one[1:]))[:50]
    cells = [(label, prediction) for _, label, prediction in most]
    counts = {(label, prediction): n for n, label, prediction in most}
    chosen = filters.current(run)
    cell = (*chosen.labels, *chosen.predictions)

    def take(picked: tuple[str, str] | None) -> None:
        if picked is None:
            filters.change(run, labels=(), predictions=())
        elif tuple(picked) in counts:
            choose(run, *picked)

    bound(
        st.selectbox,
        "Most frequent mistakes",
        cells,
        key=f"collection_cell_{run.digest}",
        value=cell if cell in counts else None,
        take=take,
        format_func=lambda one: f"{plain(one[0])} → {plain(one[1])}: {counts.get(tuple(one), 0):,} images",
        placeholder="Choose a cell",
        width=480,
    )


def choose(run: ScanRun, label: str, prediction: str) -> None:
    """Choose a cell, whose surest mistakes come first."""
    filters.change(run, labels=(label,), predictions=(prediction,), correct=None)
    ORDER.set("surest mistakes")


def _take(run: ScanRun, found: Confusion) -> None:
    number, side = selections.clicked(KEY), len(found.labels)
    if number is not None and number < side * side:
        choose(run, found.labels[number // side], found.labels[number % side])
