"""Section 2 of the page "Attention": the sequence, its norm, and queries, keys and values."""

from __future__ import annotations

import math

import numpy as np
import streamlit as st

from ....analysis.arithmetic import Normed
from ...widgets import drawing, symbols
from ...widgets.strips import number
from ...widgets.sums import format_sum
from ..lesson import sections
from . import formulas
from .head_view import HeadView, why

NORM_NAMES = {"layer": "LayerNorm", "rms": "RMSNorm"}


def queries_keys_values(view: HeadView) -> None:
    """Draw section 2: from the sequence to q, k and v."""
    steps, config, values = view.steps, view.trace.config, view.values
    head = f"head {view.head + 1}"
    enters = (
        f"Each row is normalised ({NORM_NAMES[config.norm]}). Then {head}"
        if steps.norm is not None
        else f"This model normalises after attention, so the rows enter as they are. {head.capitalize()}"
    )
    view.section(
        "2 · Query, key and value",
        f"The sequence {{X}} enters layer {view.layer + 1}. {enters} maps every row to three vectors of {{d=}} "
        "numbers: a query {q}, a key {k} and a value {v}. Its maps {W_Q}, {W_K} and {W_V} "
        f"({values['D']} × {values['d']}) are learned.",
    )
    st.latex(symbols.formula(formulas.sequence_shape(view.trace.prefix, values["N"], values["D"])))
    st.latex(symbols.formula(formulas.queries_keys_values(steps, config)))
    _vectors(view)
    if steps.q_norm is not None:
        view.draw_text("This model also normalises queries and keys, so that scores stay in a stable range.")
    if steps.angles is not None:
        view.draw_text(
            "Positions are **rotary** here (R): each pair of numbers of {q} and {k} is rotated by an angle that "
            f"depends on the token's position ({_degrees(steps.angles[view.query])} for the first pairs of "
            f"{view.the(view.query)}). Their dot product therefore depends on the offset between two patches, "
            "direction included. Values are not rotated."
        )
    if steps.norm is not None:
        _why_norm(view)
    if steps.q_norm is None:
        with st.expander("One number by hand"):
            _first_number(view)
    sections.draw_checks([steps.checks[what] for what in ("norm", "q", "k", "v") if what in steps.checks], "qkv")


def _vectors(view: HeadView) -> None:
    """Draw the row of the query token and its three vectors; the vectors share one scale."""
    steps, query = view.steps, view.query
    rows = [("{X}", steps.x[query], f"row of {view.the(query)}")]
    if steps.norm is not None:
        rows.append(("norm", steps.entered[query], "after the norm"))
    vectors = [("{q}", steps.q, "query"), ("{k}", steps.k[query], "key"), ("{v}", steps.v[query], "value")]
    if steps.angles is not None:
        before = [
            ("{q} before", steps.q_before, "before rotation"),
            ("{k} before", steps.k_before[query], "before rotation"),
        ]
        vectors = before + vectors
    st.html(drawing.strips(rows) + drawing.strips(vectors, together=True))
    st.caption("In all strips, blue is negative and red is positive.")


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


def _why_norm(view: HeadView) -> None:
    """Draw mean and standard deviation of the token before and after the norm."""
    steps, config, query = view.steps, view.trace.config, view.query
    norm = steps.norm
    centred = config.norm == "layer"
    plain = (norm.x - norm.mean[:, None]) / norm.std[:, None]
    spreads = np.sqrt(((norm.x - norm.mean[:, None]) ** 2).mean(axis=1))
    after = np.sqrt(((plain - (plain.mean(axis=1, keepdims=True) if centred else 0)) ** 2).mean(axis=1))
    measure = "standard deviation" if centred else "root mean square"
    with why("norm", f"Why {NORM_NAMES[config.norm]}?"):
        view.draw_text(
            f"Before the norm, the {measure} of the {len(spreads)} tokens ranges from "
            f"{number(float(spreads.min()), 3)} to {number(float(spreads.max()), 3)}; after the division, from "
            f"{number(float(after.min()), 3)} to {number(float(after.max()), 3)}. So no token dominates by its size "
            "alone, and every layer reads numbers of the same range."
        )
        st.latex(formulas.norm(config))
        stages = [
            (view.name(query), norm.x[query]),
            ("standardised" if centred else "divided", plain[query]),
            ("× gain + shift" if centred else "× gain", norm.result[query]),
        ]
        rows = [(name, number(float(one.mean())), number(_measure(one, centred))) for name, one in stages]
        st.html(drawing.table(("", "mean", measure), rows))
        channel = sections.format_norm(_row(norm, query), 0)
        view.draw_text(f"Its first number: {channel}.")


def _measure(vector: np.ndarray, centred: bool) -> float:
    return float(vector.std() if centred else np.sqrt((vector**2).mean()))


def _row(norm: Normed, token: int) -> Normed:
    """Return the norm of one token."""
    parts = (one[token] for one in (norm.x, norm.mean, norm.std))
    return Normed(*parts, norm.eps, norm.gain, norm.shift, norm.result[token])


def _degrees(angles: np.ndarray) -> str:
    return ", ".join(f"{number(math.degrees(angle), 1)}°" for angle in angles[:3])
