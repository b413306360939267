"""Reach: what Streamlit's own elements lack for small screens and for keyboards.

The button of the sidebar says what it opens; on a narrow screen, where the sidebar lies over the page, it closes once
something in it has been chosen; what scrolls sideways can be scrolled with the keyboard. And once a lost connection is
back, the page runs, so that a server that was restarted meanwhile knows the session before anything is clicked.
"""

from pathlib import Path

import streamlit as st

_FOLDER = Path(__file__).parent
_component = st.components.v2.component(
    "vitviz.reach",
    html="<i hidden></i>",
    isolate_styles=False,
    **{kind: (_FOLDER / f"reach.{kind}").read_text("utf-8") for kind in ("css", "js")},
)


def reach(page: str) -> None:
    """Mend what surrounds every page.

    Args:
        page: the page that is open, as its address names it.
    """
    with st.container(key=f"reach_on_{page}", gap=None):
        _component(key="reach_script", on_connected_change=lambda: None)
