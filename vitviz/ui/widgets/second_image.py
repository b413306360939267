"""Choice of the second image: gallery or box, and a bar that takes an image of the user."""

from __future__ import annotations

import streamlit as st

from ..app import second_image, state
from ..app.messages import escape_markdown
from ..app.second_image import OWN_LABELS, SECOND
from ..app.settings import bound
from ..components.gallery import gallery
from ..components.image_input import image_input

LABEL = "Second image"
KEY = "second_input"
MOST_COLUMNS = 10  # thumbnails in a row
GALLERY_WIDTH, BAR_WIDTH = 500, 365  # pixels; in one row where there is space


def choose_in_gallery(choice: state.Choice, key: str) -> None:
    """Draw the images to choose from, and the bar.

    Args:
        choice: first image and model.
        key: identity of the gallery in the session.
    """
    offered = second_image.thumbnails(choice)
    mark = SECOND.get(choice)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        with st.container(width=GALLERY_WIDTH):
            gallery(
                LABEL,
                offered,
                chosen=mark,
                on_choose=second_image.choose,
                columns=min(MOST_COLUMNS, max(6, len(offered))),
                titles=False,
                labels=second_image.labels(),
                removable=(second_image.UPLOAD,),
                on_remove=lambda _: second_image.forget(),
                key=key,
            )
        with st.container(width=BAR_WIDTH):
            image_input(LABEL, second_image.take, key=KEY)
    privacy_note(choice, mark)


def choose_in_box(choice: state.Choice, key: str) -> str | None:
    """Draw a box, which is empty without a second image, and the bar. Return the mark of the second image, or None.

    Args:
        choice: first image and model.
        key: key of the box.
    """
    offered, labels = list(second_image.thumbnails(choice)), second_image.labels()
    mark = SECOND.get(choice) if SECOND.is_set(choice) else None
    bound(
        st.selectbox,
        LABEL,
        offered,
        key=key,
        value=mark,
        take=lambda one: _choose(one, choice),
        index=None,
        format_func=lambda one: labels.get(one, one.capitalize()),
        placeholder="None",
        width=220,
    )
    with st.container(width=BAR_WIDTH):
        image_input(LABEL, second_image.take, key=KEY)
    return mark


def privacy_note(choice: state.Choice, mark: str | None) -> None:
    """Say what becomes of a second image of the user's own."""
    with st.container(gap=None):  # fixed position
        if mark in OWN_LABELS:
            kept = ", and the server's memory keeps it until about a minute after this tab is closed or reloaded"
            name = escape_markdown(SECOND.image(choice).name)
            st.caption(f"Links do not include {name}{kept if mark == second_image.UPLOAD else ''}.")


def _choose(mark: object, choice: state.Choice) -> None:
    if mark is None:
        SECOND.reset()
    elif isinstance(mark, str) and second_image.is_offered(mark, choice):
        second_image.choose(mark)
