"""Reach: what Streamlit's own elements lack for small screens and for keyboards.

The button of the sidebar says what it opens; on a narrow screen, where the sidebar lies over the page, it closes once
something in it has been chosen; what scrolls sideways can be scrolled with the keyboard. And once a lost connection is
back, the page runs, so that a server that was restarted meanwhile knows the session before anything is clicked.
"""

from pathlib import Path

import streamlit as st

from .._shared import Component

component = Component("streamlit_fixes", Path(__file__).parent, isolated=False)


def streamlit_fixes(page: str) -> None:
    """Mend what surrounds every page.

    Args:
        page: the page that is open, as its address names it.
    """
    with st.container(key=f"reach_on_{page}", gap=None):
        component.mount(key="reach_script", on_connected_change=lambda: None)
