"""Bar that takes an image of the user: dropped on it, pasted while it has the focus, or chosen as a file.

The component passes files to a hidden Streamlit uploader. Images that are dropped or pasted elsewhere on the page
become the first image, see `vitviz.ui.components.own_image`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import streamlit as st

from ...app.uploads import drop_zone, read_name, report_lost, report_too_large
from .._shared import Component, Listener

component = Component("image_input", Path(__file__).parent)


def image_input(label: str, take: Callable[[str, bytes], None], *, key: str) -> None:
    """Draw the bar.

    Args:
        label: accessible name of the bar, such as `"Second image"`.
        take: function called with the name and the bytes of a file, before the page runs again; the content is not
            checked.
        key: identity of the component in the session. That of the uploader ends with `_upload`.
    """
    zone = f"{key}_upload"
    with st.container(gap=None, key=f"{key}_bar"):
        st.html(f"<style>.st-key-{zone} {{ display: none; }}</style>")
        drop_zone(label, take, key=zone)
        data = {"label": label, "zone": zone, "largest": 1_000_000 * st.get_option("server.maxUploadSize")}
        listeners = {
            "refused": Listener("a file that is too large", read_name, report_too_large),
            "lost": Listener("a file that did not arrive", read_name, partial(report_lost, zone)),
        }
        component.draw(data, listeners, key=key)
