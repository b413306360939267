"""Offer of classes, on pages that would have more to say about a model with classes."""

from __future__ import annotations

import streamlit as st


def offer_classes() -> None:
    """Draw the way to the page "Teach", for a model that has no classes. The label fits a narrow column."""
    st.page_link("pages/teach.py", label="Teach this model classes", icon=":material/school:")
