"""Section 5 of the page "Attention": values are summed, heads are joined, and the sum goes back to the stream."""

from __future__ import annotations

import numpy as np
import streamlit as st

from ....notation.marks import percent
from ...widgets import drawing, symbols
from ...widgets.sums import format_sum
from ..lesson import sections
from .look import Look

STRONGEST = 3


def weighted_sum(look: Look) -> None:
    """The values times their weights, and their sum."""
    steps = look.steps
    look.section(
        "5 · What comes back: a weighted sum of values",
        f"Every token hands over its value {{v}}, as much of it as its weight says. The sum is what head "
        f"{look.head + 1} has found for {look.name(look.query)}: {{d=}} numbers.",
    )
    st.latex(symbols.formula(r"z = \sum_j @A_j\, @v_j"))
    order = np.argsort(-np.abs(steps.weights), kind="stable")
    shown, rest = order[:STRONGEST], order[STRONGEST:]
    rows = [
        (
            f"{percent(float(steps.weights[token]))} × {{v}}",
            steps.contributions[token],
            f"from {look.name(int(token))}",
        )
        for token in shown
    ]
    if len(rest):
        rows.append(
            ("all others", steps.contributions[rest].sum(axis=0), f"from the other {len(rest)} tokens together")
        )
    rows.append(("sum z", steps.z, f"output of head {look.head + 1}"))
    st.html(drawing.strips(rows))
    firsts = [float(values[0]) for _, values, _ in rows[:-1]]
    look.say(f"The first number of each, summed: {format_sum(firsts, float(steps.z[0]))}.")
    sections.by_hand(steps.checks["z"])


def all_heads(look: Look) -> None:
    """The heads side by side, joined and mixed."""
    block, heads = look.block, look.trace.heads
    values = look.values
    if heads > 1:
        look.say(
            f"**All {heads} heads side by side.** Each has its own maps to {{q}}, {{k}} and {{v}}, so each looks for "
            f"something else from the same patch. Head {look.head + 1} is framed."
        )
    maps = look.trace.heatmap(look.layer, None, look.query)
    st.html(
        drawing.maps(
            [(f"head {head + 1}", values) for head, values in enumerate(maps)],
            signed=look.signed,
            chosen=look.head if heads > 1 else None,
        )
    )
    st.caption(
        f"Attention weights of {look.name(look.query)} in layer {look.layer + 1}; each map's colours end at its own "
        "largest weight, written below it."
    )
    sections.by_hand(block.checks["heads"])
    inner = heads * values["d"]
    between = ""
    if block.head_norm is not None:
        between += " Each head's sum is normalised on its own."
    joined = (
        f"**Concatenation.** The sums of all heads, one row each in the picture, are put into one row of {heads} × "
        f"{values['d']} = {inner} numbers."
        if heads > 1
        else f"**One head** makes a row of {inner} numbers."
    )
    if block.attention_norm is not None:
        between += " That row is normalised."
    mixes = "The output projection {W_O}" + (" lets the heads speak to each other" if heads > 1 else " turns it")
    after = ""
    if block.attention_post_norm is not None:
        after += " Then the norm that stands after attention in this model follows."
    if not np.all(block.attention_scale == 1):
        factors = _range(block.attention_scale)
        after += f" At last every dimension is multiplied by a learned factor of its own (LayerScale, {factors})."
    look.say(f"{joined}{between} {mixes} ({inner} × {values['D']}) and brings it back to {{D=}} numbers.{after}")
    st.html(
        drawing.strips(
            [
                ("heads", block.concatenated, "all heads, a row each" if heads > 1 else "the head"),
            ],
            per_row=values["d"],
            tall="1rem" if heads <= 8 else "0.7rem",
        )
    )
    sections.by_hand(block.checks["attention_out"])


def residual(look: Look) -> None:
    """What attention found is added to what was there."""
    block = look.block
    look.say(
        "**Residual sum.** What attention found does not replace the token; it is **added** to it. The old token stays "
        "readable, and the layer only writes what it has to add."
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
    look.say(f"First number: {format_sum([before, added], float(block.resid_mid[0]))}.")
    sections.by_hand(block.checks["resid_mid"])


def _range(factors: np.ndarray) -> str:
    low, high = (f"{float(end):.3g}".replace("-", "−") for end in (factors.min(), factors.max()))
    return f"{low} to {high}"
