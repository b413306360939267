"""Offer of classes, on pages that would have more to say about a model with classes."""

from __future__ import annotations

import streamlit as st


def offer_classes() -> None:
    """Draw the way to classes of one's own, and to the example, for a model that has none."""
    st.page_link(
        "pages/teach.py",
        label="This model has no classes: teach it yours, or take the example",
        icon=":material/school:",
    )
