"""Choosing image and model; the same on every page."""

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from .. import zoo
from ..images import FITS
from . import state
from .gallery import gallery

FIT_WORDS = {
    "crop": "Crop",
    "squash": "Squash",
    "pad": "Pad",
    "native": "Native",
}
FORMATS = "JPEG, PNG, WebP, GIF, BMP or TIFF, up to 20 MB."


def sidebar() -> None:
    """Draw the sidebar. Choices go to the session; `state.choice()` has them."""
    with st.sidebar:
        choose_sample("sidebar_gallery", columns=3, titles=False)
        upload("sidebar_upload", "Your own photo")
        if st.toggle("Use the camera", key="camera_on"):
            st.camera_input("Take a photo", key="camera", on_change=_take_photo, label_visibility="collapsed")
        image_words()
        setting(
            "model",
            "Model",
            list(zoo.SHIPPED),
            lambda name: zoo.SHIPPED[name].title,
            zoo.SHIPPED[state.choice().model].summary,
        )
        left, right = st.columns(2)
        with left:
            setting("size", "Input size", zoo.SHIPPED[state.choice().model].sizes, lambda size: f"{size} px")
        with right:
            setting("fit", "Fit", FITS, FIT_WORDS.get)
        token_words()


def setting(name: str, label: str, options: Sequence, words: Callable[[Any], str], help: str | None = None) -> None:
    """A box to choose one of the session's settings."""
    st.session_state.setdefault(name, st.session_state.settings[name])
    st.selectbox(
        label, options, key=name, format_func=words, help=help, on_change=state.keep_setting, args=(name, options)
    )


def choose_sample(key: str, *, columns: int, titles: bool) -> bool:
    """The gallery of samples. Returns whether one has just been chosen."""
    picked = st.session_state.picked
    name = gallery(
        "Sample photographs",
        state.samples(),
        chosen=picked.name if picked.sample else None,
        on_choose=state.pick_sample,
        columns=columns,
        titles=titles,
        key=key,
    )
    return name is not None


def upload(key: str, label: str) -> bool:
    """A drop zone for a visitor's own image. Returns whether one has just been accepted."""
    accepted = f"{key}_accepted"

    def take() -> None:
        file = st.session_state[key]
        if file is not None:
            st.session_state[accepted] = state.pick_upload(file.name, file.getvalue())

    st.file_uploader(label, key=key, on_change=take, help=FORMATS)
    return st.session_state.pop(accepted, False)


def image_words() -> None:
    """What was done to the current image, and who sees it."""
    choice = state.choice()
    for note in state.prepared(choice).notes:
        st.caption(note)
    if not choice.picked.sample:
        st.caption("Your photo is kept in the server's memory only; a copied link opens without it.")


def token_words() -> None:
    """How many tokens follow from the choice."""
    choice = state.choice()
    rows, columns = state.prepared(choice).geometry.grid
    names = zoo.SHIPPED[choice.model].config.prefix_names
    more = "".join(f" + {name}" for name in names)
    st.caption(f"{rows} × {columns} = {rows * columns} patches{more} = {rows * columns + len(names)} tokens")


def _take_photo() -> None:
    photo = st.session_state.camera
    if photo is not None:
        state.pick_upload("camera", photo.getvalue())
