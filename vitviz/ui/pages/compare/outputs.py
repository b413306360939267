"""Outputs of two models beside each other."""

from __future__ import annotations

from html import escape

import numpy as np
import streamlit as st

from ....analysis.predictions import predictions
from ....notation.marks import percent
from ....trace.trace import Trace
from ...app import models, state
from ...widgets import drawing
from ..lesson.sections import section

TOP = 5  # classes


def draw(choice: state.Choice, other: state.Choice) -> None:
    """Draw the top classes of both models, and the similarity of outputs of equal length."""
    section("Outputs", "What both models return for this image.")
    for column, one in zip(st.columns(2, gap="large"), (choice, other), strict=True):
        with column:
            _output(models.title(one.model), state.trace(one))
    a, b = (state.trace(one).output.astype(np.float64) for one in (choice, other))
    norms = np.linalg.norm(a) * np.linalg.norm(b) if a.shape == b.shape else 0
    if norms:
        st.caption(f"Cosine similarity of both outputs: {a @ b / norms:.3f}.")


def _output(title: str, trace: Trace) -> None:
    if not trace.model.is_classifier:
        numbers = f"{len(trace.output):,} numbers and no classes"
        st.html(drawing.table((escape(title), ""), [["returns", numbers]]))
        return
    rows = [
        [escape(one.label), drawing.bar(one.probability, percent(one.probability))] for one in predictions(trace, TOP)
    ]
    st.html(drawing.table((escape(title), "probability"), rows))
