"""Section 5 of the page "Attention": weighted sum of values, output projection, and residual sum."""

from __future__ import annotations

import numpy as np
import streamlit as st

from ....notation.marks import percent
from ...widgets import drawing, symbols
from ...widgets.sums import format_sum
from ..lesson import sections
from .head_view import HeadView

STRONGEST = 3


def weighted_sum(view: HeadView) -> None:
    """Draw the weighted values and their sum."""
    steps = view.steps
    view.section(
        "5 · What comes back: a weighted sum of values",
        f"Every token hands over its value {{v}}, as much of it as its weight says. The sum is the output of head "
        f"{view.head + 1} for {view.name(view.query)}: {{d=}} numbers.",
    )
    st.latex(symbols.formula(r"z = \sum_j @A_j\, @v_j"))
    order = np.argsort(-np.abs(steps.weights), kind="stable")
    shown, rest = order[:STRONGEST], order[STRONGEST:]
    rows = [
        (
            f"{percent(float(steps.weights[token]))} × {{v}}",
            steps.contributions[token],
            f"from {view.name(int(token))}",
        )
        for token in shown
    ]
    if len(rest):
        rows.append(
            ("all others", steps.contributions[rest].sum(axis=0), f"from the other {len(rest)} tokens together")
        )
    rows.append(("sum z", steps.z, f"output of head {view.head + 1}"))
    st.html(drawing.strips(rows))
    firsts = [float(values[0]) for _, values, _ in rows[:-1]]
    view.draw_text(f"The first number of each, summed: {format_sum(firsts, float(steps.z[0]))}.")
    sections.draw_check(steps.checks["z"])


def all_heads(view: HeadView) -> None:
    """Draw the heads side by side, their concatenation and the output projection."""
    block, heads = view.block, view.trace.heads
    values = view.values
    if heads > 1:
        view.draw_text(
            f"**All {heads} heads side by side.** Each has its own maps to {{q}}, {{k}} and {{v}}, so each attends "
            f"differently from the same patch. Head {view.head + 1} is framed."
        )
    maps = view.trace.heatmap(view.layer, None, view.query)
    st.html(
        drawing.maps(
            [(f"head {head + 1}", values) for head, values in enumerate(maps)],
            signed=view.signed,
            chosen=view.head if heads > 1 else None,
        )
    )
    st.caption(
        f"Attention weights of {view.name(view.query)} in layer {view.layer + 1}; each map's colours end at its own "
        "largest weight, written below it."
    )
    sections.draw_check(block.checks["heads"])
    inner = heads * values["d"]
    between = ""
    if block.head_norm is not None:
        between += " Each head's sum is normalised separately."
    joined = (
        f"**Concatenation.** The sums of all heads, one row each in the picture, are put into one row of {heads} × "
        f"{values['d']} = {inner} numbers."
        if heads > 1
        else f"**One head** makes a row of {inner} numbers."
    )
    if block.attention_norm is not None:
        between += " That row is normalised."
    mixes = "The output projection {W_O}" + (" mixes the heads" if heads > 1 else " follows")
    after = ""
    if block.attention_post_norm is not None:
        after += " Then the norm that stands after attention in this model follows."
    if not np.all(block.attention_scale == 1):
        factors = _range(block.attention_scale)
        after += f" Finally every dimension is multiplied by its own learned factor (LayerScale, {factors})."
    view.draw_text(f"{joined}{between} {mixes} ({inner} × {values['D']}) and gives {{D=}} numbers.{after}")
    st.html(
        drawing.strips(
            [
                ("heads", block.concatenated, "all heads, a row each" if heads > 1 else "the head"),
            ],
            per_row=values["d"],
            tall="1rem" if heads <= 8 else "0.7rem",
        )
    )
    sections.draw_check(block.checks["attention_out"])


def residual(view: HeadView) -> None:
    """Draw the residual sum after attention."""
    block = view.block
    view.draw_text(
        "**Residual sum.** The output of attention does not replace the token; it is **added** to it. The old token "
        "stays readable, and the layer only writes what it has to add."
    )
    st.latex(symbols.formula(r"@X' = @X + \mathrm{attention}(@X)"))
    st.html(
        drawing.strips(
            [
                ("{X}", block.x, "as it entered"),
                ("+", block.attention_out, "what attention adds"),
                ("=", block.resid_mid, "after attention"),
            ],
            together=True,
        )
    )
    before, added = float(block.x[0]), float(block.attention_out[0])
    view.draw_text(f"First number: {format_sum([before, added], float(block.resid_mid[0]))}.")
    sections.draw_check(block.checks["resid_mid"])


def _range(factors: np.ndarray) -> str:
    low, high = (f"{float(end):.3g}".replace("-", "−") for end in (factors.min(), factors.max()))
    return f"{low} to {high}"
