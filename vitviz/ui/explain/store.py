"""What was computed for one visitor is there for all who ask the same.

Not Streamlit's cache: what takes long tells the page how far it is, and the page's own elements have no place in a
cached function.
"""

from __future__ import annotations

import streamlit as st

from ..store import Store

MOST = 512  # results; the largest maps have 1600 numbers, and nothing here keeps a model or a trace


@st.cache_resource(show_spinner=False)
def shared() -> Store:
    """The store of this process."""
    return Store(MOST)
