"""Section 2 of the page "Attention": the sequence, its norm, and queries, keys and values."""

from __future__ import annotations

import math

import numpy as np
import streamlit as st

from ...widgets import drawing, symbols
from ...widgets.strips import number
from ...widgets.sums import format_sum
from ..lesson import sections
from . import formulas, norms
from .head_view import HeadView


def queries_keys_values(view: HeadView) -> None:
    """Draw section 2: from the sequence to q, k and v."""
    steps, config, values = view.steps, view.trace.config, view.values
    enters = (
        f"Each row x is normalised ({norms.NAMES[config.norm]})"
        if steps.norm is not None
        else "This model normalises after attention, so the rows enter as they are"
    )
    view.section(
        "2 · Query, key and value",
        f"{_source(view)} {enters}. The learned matrices {{W_Q}}, {{W_K}} and {{W_V}} of head {view.head + 1} "
        f"({values['D']} × {values['d']}) turn each row into a query {{q}}, a key {{k}} and a value {{v}} of {{d=}} "
        "numbers.",
    )
    st.latex(symbols.formula(formulas.sequence_shape(view.trace.prefix, values["N"], values["D"])))
    st.latex(symbols.formula(formulas.queries_keys_values(steps, config)))
    _vectors(view)
    if steps.q_norm is not None:
        view.draw_text("This model also normalises queries and keys, so that scores stay in a stable range.")
    if steps.angles is not None:
        here = (
            f"{view.the(view.query)} has no position and is not rotated"
            if view.patch is None
            else f"{_degrees(steps.angles[view.query])} for the first pairs of {view.the(view.query)}"
        )
        with st.container(key="rotary"):
            view.draw_text(
                "Positions are **rotary** here (R): each pair of numbers of a patch's {q} and {k} is rotated by an "
                f"angle that depends on its position ({here}). Their dot product therefore also depends on the offset "
                "between two patches, direction included. Values are not rotated."
            )
    if steps.norm is not None:
        norms.why_norm(view, steps.norm)
    if steps.q_norm is None:
        with st.expander("By hand"):
            _first_number(view)
    sections.draw_checks([steps.checks[what] for what in ("norm", "q", "k", "v") if what in steps.checks], "qkv")


def _source(view: HeadView) -> str:
    """Return a sentence on the sequence that enters the layer."""
    if view.layer:
        return f"The output of layer {view.layer} is the sequence {{X}} that enters layer {view.layer + 1}."
    normed = ", after a norm," if view.trace.config.pre_norm else ""
    return f"The sequence {{X}} of the first page{normed} enters layer 1."


def _vectors(view: HeadView) -> None:
    """Draw the row of the query token before and after the norm, and its three vectors, each group on one scale."""
    steps, query = view.steps, view.query
    rows = [("{X}", steps.x[query], f"row of {view.the(query)}")]
    if steps.norm is not None:
        rows.append((f"{formulas.NORMS[view.trace.config.norm]}(x)", steps.entered[query], "after the norm"))
    vectors = [("{q}", steps.q, "query"), ("{k}", steps.k[query], "key"), ("{v}", steps.v[query], "value")]
    if steps.angles is not None:
        before = [
            ("{q} before", steps.q_before, "before rotation"),
            ("{k} before", steps.k_before[query], "before rotation"),
        ]
        vectors = before + vectors
    st.html(drawing.strips(rows, together=len(rows) > 1) + drawing.strips(vectors, together=True))
    st.caption("In the strips, blue is negative and red positive.")


def _first_number(view: HeadView) -> None:
    """Draw the sum that gives the first number of the query."""
    steps = view.steps
    biases = [float(steps.w_q.bias[0])] if steps.w_q.bias.any() else []
    total = float(np.dot(steps.entered[view.query], steps.w_q.weight[:, 0].astype(np.float64)))
    when = ", before rotation," if steps.angles is not None else ""
    view.draw_text(
        f"The first number of {{q}}{when} is a sum of {view.values['D']} products{' and the bias' if biases else ''}: "
        f"{format_sum([total, *biases], float(steps.q_before[0]))}."
    )


def _degrees(angles: np.ndarray) -> str:
    return ", ".join(f"{number(math.degrees(angle), 1)}°" for angle in angles[:3])
