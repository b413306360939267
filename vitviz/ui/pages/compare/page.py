"""The page "Compare": two images, two models, or a model before and after training."""

from __future__ import annotations

import streamlit as st

from ...app import shell, state
from ...widgets import drawing, symbols
from . import before_after, two_images, two_models, views
from .settings import MODE, MODES

DRAW = {"images": two_images.draw, "models": two_models.draw, "checkpoints": before_after.draw}


def draw() -> None:
    """Draw the page."""
    st.html(symbols.style())
    st.html(drawing.STYLE)
    compare(state.choice())


@shell.fragment
def compare(choice: state.Choice) -> None:
    """Draw one mode; choosing anything reruns only this fragment."""
    with st.empty():  # placeholder for spinners, so that nothing below moves
        view = views.current(choice)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.title("Compare", anchor=False, width="content")
        mode = MODE.draw(
            st.pills,
            "Compare",
            list(MODES),
            context=choice,
            format_func=MODES.get,
            required=True,
            label_visibility="collapsed",
            width="content",
        )
    DRAW[mode](view)
