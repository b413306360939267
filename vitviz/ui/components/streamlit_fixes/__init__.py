"""Fixes of Streamlit's own elements for small screens, keyboards and lost connections.

The sidebar buttons get labels. On narrow screens, where the sidebar covers the page, it closes after a choice.
Scrollable elements can be scrolled with the keyboard. After a lost connection is restored, the page runs once, so that
a restarted server knows the session before the next click.
"""

from pathlib import Path

import streamlit as st

from .._shared import Component

component = Component("streamlit_fixes", Path(__file__).parent, isolated=False)


def streamlit_fixes(page: str) -> None:
    """Apply the fixes to a page.

    Args:
        page: address of the open page.
    """
    with st.container(key=f"reach_on_{page}", gap=None):
        component.mount(key="reach_script", on_connected_change=lambda: None)
