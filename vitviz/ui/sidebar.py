"""Choosing image and model; the same on every page."""

import streamlit as st

from .. import zoo
from ..images import FITS
from . import state
from .gallery import gallery

FIT_WORDS = {
    "crop": "Crop",
    "squash": "Squash",
    "pad": "Pad",
    "native": "Keep shape",
}
FORMATS = "JPEG, PNG, WebP, GIF, BMP or TIFF, up to 20 MB."


def sidebar() -> None:
    """Draw the sidebar. Choices go to the session; `state.choice()` has them."""
    with st.sidebar:
        choose_sample("sidebar_gallery", columns=3)
        upload("sidebar_upload", "Your own photo")
        if st.toggle("Use the camera", key="camera_on"):
            st.camera_input("Take a photo", key="camera", on_change=_take_photo, label_visibility="collapsed")
        image_words()
        st.selectbox("Model", list(zoo.SHIPPED), key="model", format_func=lambda name: zoo.SHIPPED[name].title)
        left, right = st.columns(2)
        sizes = zoo.SHIPPED[st.session_state.model].sizes
        left.selectbox("Input size", sizes, key="size", format_func=lambda size: f"{size} px")
        right.selectbox("Fit", FITS, key="fit", format_func=FIT_WORDS.get)
        token_words()


def choose_sample(key: str, columns: int) -> None:
    """The gallery of samples."""
    picked = st.session_state.picked
    chosen = picked.name if picked.sample else None
    gallery("Sample photographs", state.samples(), chosen=chosen, on_choose=state.pick_sample, columns=columns, key=key)


def upload(key: str, label: str) -> None:
    """A drop zone for a visitor's own image."""

    def take() -> None:
        file = st.session_state[key]
        if file is not None:
            state.pick_upload(file.name, file.getvalue())

    st.file_uploader(label, key=key, on_change=take, help=FORMATS)


def image_words() -> None:
    """What is wrong with the last image, and what was done to the current one."""
    if st.session_state.image_problem:
        st.error(st.session_state.image_problem)
    for note in state.prepared(state.choice()).notes:
        st.caption(note)


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
