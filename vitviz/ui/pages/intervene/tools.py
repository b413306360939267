"""What a click does, on the picture and on the board: one tool of several."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st


def tool_box(label: str, names: Mapping[str, str], key: str) -> str:
    """Draw the tools; the first one is taken until the visitor takes another.

    Args:
        label: where the clicks go.
        names: what the tools are called, by what they are.
        key: the box's name in the session.
    """
    return st.segmented_control(
        label, list(names), default=next(iter(names)), format_func=names.get, key=key, required=True
    )
