"""Question that the user answers before a result is shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from ...app.settings import Setting

SKIPPED = "Show me"


def predicted(key: str, question: str, options: Sequence[str], context: Any = None) -> str | None:
    """Ask for a prediction before a result is shown.

    Args:
        key: identity of the question on the page.
        question: the question, without symbols.
        options: possible answers, two to four.
        context: image, model and place that the question depends on; another one asks again.

    Returns:
        The chosen option, `SKIPPED` if the user wants to see the result at once, or None: then show no result.
    """
    setting = Setting(f"predicted_{key}", per=lambda context: str(hash(context)), valid=lambda one, _: one in choices)
    choices = (*options, SKIPPED)
    with st.container(key=f"predict_{key}"):
        return setting.draw(st.segmented_control, question, choices, context=context)
