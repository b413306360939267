"""The patch that both pages of explanations follow, which the explorer has pinned, and which a link holds."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from ....trace.trace import Trace
from ...app import link, shell
from .sections import Patch, patch_number


def chosen_patch(trace: Trace) -> Patch:
    """The patch that the pages follow: the one chosen last on any page, if this grid has it; else the middle one."""
    pinned = shell.current_view(trace).query
    if pinned is not None and pinned >= trace.prefix and pinned != st.session_state.get("pin_seen"):
        st.session_state.patch = divmod(pinned - trace.prefix, trace.grid[1])
    st.session_state.pin_seen = pinned
    rows, columns = trace.grid
    row, column = st.session_state.setdefault("patch", (rows // 2, columns // 2))
    if not (row < rows and column < columns):
        st.session_state.patch = rows // 2, columns // 2
    return st.session_state.patch


def choose_patch(row: int, column: int) -> None:
    """Follow this patch from here on; the explorer pins it too. As a callback it keeps no trace alive."""
    prefix, _, columns = st.session_state.places
    st.session_state.patch, st.session_state.pin_seen = (row, column), prefix + row * columns + column
    shell.remember_view(replace(st.session_state.view, query=st.session_state.pin_seen))


def write_address(trace: Trace) -> None:
    """Make the address bar a link to what is looked at, with the patch that the page follows."""
    query = trace.prefix + patch_number(trace, chosen_patch(trace))
    shell.write_address(link.view_parameters(replace(shell.current_view(trace), query=query), trace))
