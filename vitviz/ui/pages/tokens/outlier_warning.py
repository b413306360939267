"""A warning where a map of attention shows little but tokens that the model may use as registers."""

from __future__ import annotations

import numpy as np
import streamlit as st

from ....analysis.tokens import Outliers, outliers_in
from ....notation.marks import percent
from ....notation.view import View
from ....trace.trace import Trace
from ...app import state
from . import token_analyses

DOMINATED = 0.5  # of the weight on the patches
FEW = 0.05  # of the patches: outliers are few, so a map that no few patches dominate is not asked further


def warning(choice: state.Choice, trace: Trace, view: View) -> None:
    """Say so if outlier tokens have more than half of the weight that the shown map has on its patches."""
    weights = np.abs(view.weights(trace))[trace.prefix :]
    if not is_on_few(weights):
        return  # and the norms, which cost a forward pass, need not be known
    found = outliers_in(token_analyses.norms(choice)[stage_read(trace, view)], trace.prefix)
    said = words(trace, weights, found)
    if said:
        st.markdown(f":orange-badge[:material/warning: Outlier tokens] {said}")


def is_on_few(weights: np.ndarray) -> bool:
    """Whether one in twenty patches has more than half of the weight."""
    few = max(1, round(FEW * weights.size))
    return float(np.partition(weights, -few)[-few:].sum()) > DOMINATED * float(weights.sum())


def stage_read(trace: Trace, view: View) -> int:
    """Which tokens the view's attention reads: those that left the layer before; 0 are those before all layers."""
    return trace.layers if view.is_pool(trace) else view.layer


def words(trace: Trace, weights: np.ndarray, found: Outliers) -> str | None:
    """The warning, if there is cause for one.

    Args:
        trace: what is looked at.
        weights: of the patches in size, [patch].
        found: the outliers among the tokens that the attention reads.
    """
    places = [token - trace.prefix for token in found.tokens]
    share = float(weights[places].sum()) / max(float(weights.sum()), np.finfo(np.float32).tiny)
    if share <= DOMINATED:
        return None
    what = f"{len(places)} tokens" if len(places) > 1 else "1 token"
    return (
        f"{what} whose norm exceeds {found.times:g} × the median of this layer's input have {percent(share)} of the "
        "weight on the patches. The model may use them as registers: the map then says little about these places (see "
        "the page Tokens)."
    )
