"""Reason for the norm of attention, with its numbers: before attention or, in post-norm models, after it."""

from __future__ import annotations

import numpy as np
import streamlit as st

from ....analysis.arithmetic import Normed
from ...widgets import drawing
from ...widgets.strips import number
from ..lesson import sections
from . import formulas
from .head_view import HeadView, why

NAMES = {"layer": "LayerNorm", "rms": "RMSNorm"}


def why_norm(view: HeadView, norm: Normed) -> None:
    """Draw the spread of all tokens before and after a norm, and the norm of the query token in steps.

    Args:
        view: the view.
        norm: the norm of all tokens, [token, channel].
    """
    config, query = view.trace.config, view.query
    centred = config.norm == "layer"
    plain = (norm.x - norm.mean[:, None]) / norm.std[:, None]
    before, after = _spread(norm.x, centred), _spread(plain, centred)
    measure = "standard deviation" if centred else "root mean square"
    of = "updates by attention" if config.block == "post" else "tokens"
    with why("norm", f"Why {NAMES[config.norm]}?"):
        view.draw_text(
            f"Before the norm, the {measure} of the {len(before)} {of} ranges from {number(float(before.min()), 3)} to "
            f"{number(float(before.max()), 3)}; after the division, from {number(float(after.min()), 3)} to "
            f"{number(float(after.max()), 3)}. So none dominates by its size alone, and every layer reads numbers of "
            "the same range."
        )
        st.latex(formulas.norm(config))
        stages = [
            (view.name(query), norm.x[query]),
            ("standardised" if centred else "divided", plain[query]),
            ("× gain + shift" if centred else "× gain", norm.result[query]),
        ]
        rows = [(name, number(float(one.mean())), number(float(_spread(one, centred)))) for name, one in stages]
        st.html(drawing.table(("", "mean", measure), rows))
        view.draw_text(f"Its first number: {sections.format_norm(_row(norm, query), 0)}.")


def _spread(vectors: np.ndarray, centred: bool) -> np.ndarray:
    """Return the standard deviation of vectors [..., channel], or their root mean square."""
    return vectors.std(axis=-1) if centred else np.sqrt((vectors**2).mean(axis=-1))


def _row(norm: Normed, token: int) -> Normed:
    """Return the norm of one token."""
    parts = (one[token] for one in (norm.x, norm.mean, norm.std))
    return Normed(*parts, norm.eps, norm.gain, norm.shift, norm.result[token])
