"""Warning for attention maps dominated by tokens that the model may use as registers."""

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
FEW = 0.05  # of the patches; outliers are few, so other maps need no further check


def warning(choice: state.Choice, trace: Trace, view: View) -> None:
    """Warn if outlier tokens have more than half of the weight that the shown map gives to patches."""
    weights = np.abs(view.weights(trace))[trace.prefix :]
    if not is_on_few(weights):
        return  # avoid the norms, which cost a forward pass
    outliers = outliers_in(token_analyses.norms(choice)[stage_read(trace, view)], trace.prefix)
    text = message(trace, weights, outliers)
    if text:
        with st.container(key="outlier_warning"):
            st.markdown(f":orange-badge[:material/warning: Outlier tokens] {text}")


def is_on_few(weights: np.ndarray) -> bool:
    """Return True if one in twenty patches has more than half of the weight."""
    few = max(1, round(FEW * weights.size))
    return float(np.partition(weights, -few)[-few:].sum()) > DOMINATED * float(weights.sum())


def stage_read(trace: Trace, view: View) -> int:
    """Return the index of the residual stream that the view's attention reads; 0 is before the first layer."""
    return trace.layers if view.is_pool(trace) else view.layer


def message(trace: Trace, weights: np.ndarray, outliers: Outliers) -> str | None:
    """Return the text of the warning, or None without cause.

    Args:
        trace: the forward pass.
        weights: absolute weights of the patches, [patch].
        outliers: outliers among the tokens that the attention reads.
    """
    places = [token - trace.prefix for token in outliers.tokens]
    share = float(weights[places].sum()) / max(float(weights.sum()), np.finfo(np.float32).tiny)
    if share <= DOMINATED:
        return None
    what, verb = (f"{len(places)} tokens", "have") if len(places) > 1 else ("1 token", "has")
    return (
        f"{what} whose norm exceeds {outliers.times:g} × the median of this layer's input {verb} {percent(share)} of "
        "the weight on the patches. The model may use them as registers; the map then says little about these patches "
        "(see the page Tokens)."
    )
