"""Enlarged map; pointing at a patch shows its value."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from ....analysis.attribution import METHODS, Attribution
from ....trace.trace import Trace
from ...app import state
from ...app.messages import escape_markdown
from ...components.patches import Overlay, patch_picker
from .map_figure import captions, seconds
from .map_grid import requests
from .maps import known
from .settings import ENLARGED, PATCH
from .targets import TargetSpec


def enlarge(choice: state.Choice, trace: Trace, specs: Sequence[TargetSpec]) -> None:
    """Show the map that the user enlarged, if it is still available."""
    chosen = ENLARGED.get(choice)
    if chosen is None or chosen[0] >= len(specs):
        return
    request = next(request for request in requests(choice, trace, specs[chosen[0]]) if request.method == chosen[1])
    result = known(request)
    if result is not None:
        with st.container(border=True, key="explain_closer"):
            _enlarged(choice, trace, result)


def _enlarged(choice: state.Choice, trace: Trace, result: Attribution) -> None:
    method = METHODS[result.method]
    with st.container(horizontal=True, horizontal_alignment="distribute"):
        st.header(method.title, anchor=False)
        st.button("Close", icon=":material/close:", type="tertiary", on_click=lambda: ENLARGED.reset(choice))
    st.markdown(f"{method.summary(trace.config)} [{method.paper}]({method.url})")
    patch_picker(
        state.picture(choice),
        choice.picked.name,
        trace.grid,
        PATCH.get(trace.grid),
        on_choose=lambda row, column: PATCH.set((row, column)),
        overlay=Overlay(result.map, ", ".join(captions(result)), signed=result.signed, format=method.format),
        key=f"explain_closer_{result.method}",
    )
    text = f"Sum of all patches: {method.format(float(result.map.sum()))} · took {seconds(result.seconds)}"
    of_target = f" · {result.target}, for this image: {method.format(result.value)}" if result.target else ""
    st.caption(escape_markdown(f"{text}{of_target}. The selected patch stays selected in the other maps."))
