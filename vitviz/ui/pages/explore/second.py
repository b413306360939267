"""Second image on the page "Explore": its attention by the same head, below the explorer."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import streamlit as st

from ....notation.view import View
from ....trace.trace import Trace
from ...app import state
from ...widgets.second_image import choose_in_box, privacy_note
from ..attention.settings import with_one_head
from ..compare import settings as compare_settings
from ..compare import views
from ..lesson import followed_token
from . import settings

OPENS = "explore_opens_compare"  # key in the session: whether the next run opens the page "Compare"


def draw(choice: state.Choice, trace: Trace, view: View) -> None:
    """Draw the choice of the second image, and once there is one, both pictures; they follow the explorer's pointer."""
    with st.container(horizontal=True, vertical_alignment="bottom", key="explore_second_row"):
        chosen = choose_in_box(choice, "explore_second")
        if chosen is not None:
            st.button("Compare", key="explore_compare", icon=":material/compare:", on_click=_open)
    privacy_note(choice, chosen)
    if chosen is None:
        return
    one = with_one_head(view, trace)
    views.same_head(
        choice,
        replace(choice, picked=settings.SECOND.image(choice)),
        one.layer,
        one.head,
        followed_token.followed_patch(trace),
        compare_settings.shown(settings.SHOWN),
        follows=True,
        on_shown=partial(compare_settings.set_shown, show=settings.SHOWN),
        key="explore_match",
    )


def open_if_asked() -> None:
    """Open the page "Compare" after a click on its button."""
    if st.session_state.pop(OPENS, False):
        st.switch_page("pages/compare.py")


def _open() -> None:
    compare_settings.MODE.set("images")
    st.session_state[OPENS] = True
