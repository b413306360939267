"""Image of a scan that the user has opened, in the session."""

from __future__ import annotations

from contextlib import suppress

import streamlit as st

from ...errors import ModelError
from . import decoded_images, models, notices, scans, state
from .cache import cached
from .messages import escape_markdown
from .scans import ScanImage


def open_image(scan: str, position: int, model: str, size: tuple[int, int], fit: str) -> None:
    """Choose an image of a scan with the model, input size and fit of the scan, as far as this server has them.

    Args:
        scan: name of the scan.
        position: position of the image in its source.
        model: name of the model, from the scan.
        size: input size, (height, width) in pixels, from the scan.
        fit: fit of the image to that size, from the scan.

    Raises:
        ScanError: if the file of the image is gone or has changed.
        ImageError: if it is not a valid image.
    """
    image = scans.image(scan, position)
    with decoded_images.preparing:
        decoded_images.decoded(image.digest, image.data)
    if not models.is_ready(model) and not models.is_checkpoint(model):
        used = models.title(state.MODEL.get())
        notices.add([f"The model of the scan, {model[:80]}, is not on this server; {used} is shown instead."])
    else:
        with suppress(ModelError):  # shown by the page
            state.use_model(model)
            info = models.describe(model)
            wanted = size[0] if size[0] == size[1] else size
            for setting, value in ((state.SIZE, wanted), (state.FIT, fit)):
                if setting.valid(value, info):
                    setting.set(value)
    st.session_state.scan_image = image
    pick()


def pick() -> None:
    """Choose the image of a scan that was opened last, if there is one."""
    if st.session_state.scan_image is not None:
        st.session_state.picked = st.session_state.scan_image
        notices.set_image_problem(None)


def thumbnail() -> bytes:
    """Return a thumbnail of the image of a scan that was opened last."""
    image = st.session_state.scan_image
    return _thumbnail(image.digest, image)


def describe(image: ScanImage) -> str:
    """Return a caption in Markdown: name of the file, and the scan."""
    return f"{escape_markdown(image.name)}, image {image.position:,} of the scan {escape_markdown(image.scan)}."


@cached()
def _thumbnail(digest: str, _image: ScanImage) -> bytes:
    return decoded_images.thumbnail(decoded_images.decoded(_image.digest, _image.data))
