"""Choice of an image that the server offers, in the session."""

from __future__ import annotations

from pathlib import PurePath

import streamlit as st

from ...errors import ImageError
from . import folder_images, notices


def pick(mark: str) -> None:
    """Choose an image by its mark. If it is gone or has become invalid, the page says so, and nothing changes."""
    try:
        image = folder_images.decoded(mark)
    except ImageError as error:
        notices.set_image_problem(str(error))
        return
    st.session_state.picked = image
    notices.set_image_problem(None)


def labels() -> dict[str, str]:
    """Return the titles of the images in galleries, by mark: the names of the files without their suffix."""
    return {folder_images.MARK + name: PurePath(name).stem for name in folder_images.names()}
