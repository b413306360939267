"""One map, large: pointing at a patch says its value."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from ....analysis.attribution import METHODS, Attribution
from ....trace.trace import Trace
from ...app import state
from ...app.messages import escape_markdown
from ...components.patches import Overlay, patch_picker
from .board import asks
from .maps import known
from .methods import seconds
from .picture import about_words
from .settings import ENLARGED, PATCH
from .targets import Aim


def enlarge(choice: state.Choice, trace: Trace, aims: Sequence[Aim]) -> None:
    """Show the map that the visitor chose, if it is still there."""
    chosen = ENLARGED.get(choice)
    if chosen is None or chosen[0] >= len(aims):
        return
    ask = next(ask for ask in asks(choice, trace, aims[chosen[0]]) if ask.method == chosen[1])
    found = known(ask)
    if found is not None:
        with st.container(border=True, key="explain_closer"):
            _closer(choice, trace, found)


def _closer(choice: state.Choice, trace: Trace, found: Attribution) -> None:
    told = METHODS[found.method]
    with st.container(horizontal=True, horizontal_alignment="distribute"):
        st.header(told.title, anchor=False)
        st.button("Close", icon=":material/close:", type="tertiary", on_click=lambda: ENLARGED.reset(choice))
    st.markdown(f"{told.summary(trace.config)} [{told.paper}]({told.url})")
    patch_picker(
        state.picture(choice),
        choice.picked.name,
        trace.grid,
        PATCH.get(trace.grid),
        on_choose=lambda row, column: PATCH.set((row, column)),
        overlay=Overlay(found.map, ", ".join(about_words(found)), signed=found.signed, format=told.format),
        key=f"explain_closer_{found.method}",
    )
    words = f"Sum of all patches: {told.format(float(found.map.sum()))} · took {seconds(found.seconds)}"
    of_target = f" · {found.target}, for this image: {told.format(found.value)}" if found.target else ""
    st.caption(
        escape_markdown(f"{words}{of_target}. The patch that is chosen stays chosen in the map of another method.")
    )
