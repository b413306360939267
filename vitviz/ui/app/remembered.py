"""Widgets whose answers outlive their page. Streamlit forgets a widget as soon as a run does not draw it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import streamlit as st


def remembered(draw: Callable[..., Any], key: str, first: Any, options: Collection | None = None) -> Any:
    """Draw a widget that stands where the visitor left it, whichever pages they have been to meanwhile.

    Args:
        draw: draws the widget with the key that it is given, and returns its value.
        key: the widget's, the only one of its name.
        first: its value until the visitor chooses.
        options: what its value can be, where that changes; then an answer that is none of them any more is `first`.
    """
    value = answer(key, first)
    st.session_state[key] = value if options is None or value in options else first  # also for a forgotten widget
    value = draw(key=key)
    _answers()[key] = value
    return value


def answer(key: str, first: Any) -> Any:
    """The value of such a widget, also before it is drawn."""
    return st.session_state.get(key, _answers().get(key, first))


def _answers() -> dict[str, Any]:
    return st.session_state.setdefault("remembered", {})
