"""A gallery of thumbnails to choose one from."""

import io
from collections.abc import Callable, Collection, Mapping
from hashlib import sha256
from pathlib import Path

import streamlit as st
from PIL import Image, ImageOps

from ....viz.inline import data_url
from ...app.cache import cached
from .._shared import Component, Listener

component = Component("gallery", Path(__file__).parent)


def gallery(
    label: str,
    images: Mapping[str, bytes],
    *,
    chosen: str | None,
    on_choose: Callable[[str], None],
    columns: int,
    titles: bool,
    notes: Mapping[str, str] | None = None,
    whole: bool = False,
    words: Mapping[str, str] | None = None,
    removable: Collection[str] = (),
    on_remove: Callable[[str], None] | None = None,
    key: str,
) -> str | None:
    """Draw thumbnails, one of which can be chosen.

    Args:
        label: what the group is called, for those who cannot see it.
        images: the images by name, as files.
        chosen: the name of the framed one; None if there is none.
        on_choose: called with a name when the visitor clicks its thumbnail.
        columns: thumbnails in a row.
        titles: whether names stand below the thumbnails; else they are tooltips.
        notes: what stands below the titles, by name.
        whole: whether all of an image is shown, whatever its shape; else its middle, as a square.
        words: titles, by name, of those that are not called by their name.
        removable: the names of those that the visitor may take away.
        on_remove: called with the name of one that the visitor takes away.
        key: identity of this gallery in the session.

    Returns:
        The name that was clicked just now; None in all later runs.
    """
    items = [
        {
            "name": name,
            "title": (words or {}).get(name, name.capitalize()),
            "removable": name in removable,
            "note": (notes or {}).get(name, ""),
            "image": data_url(data) if whole else _thumbnail(sha256(data).hexdigest(), data),
        }
        for name, data in images.items()
    ]
    data = {"label": label, "columns": columns, "titles": titles, "whole": whole, "chosen": chosen, "items": items}

    just_chosen = f"{key}_chosen"

    def read(message: object) -> str:
        if not isinstance(message, str) or message not in images:
            raise ValueError("no image of this gallery")
        return message

    def read_removable(message: object) -> str:
        if not isinstance(message, str) or message not in removable:
            raise ValueError("no image that can be taken away")
        return message

    def choose(name: str) -> None:
        st.session_state[just_chosen] = name
        on_choose(name)

    listeners = {"chosen": Listener("an image", read, choose)}
    if on_remove:
        listeners["removed"] = Listener("an image that goes", read_removable, on_remove)
    component.draw(data, listeners, key=key)
    return st.session_state.pop(just_chosen, None)


@cached()
def _thumbnail(digest: str, _data: bytes, side: int = 240) -> str:
    buffer = io.BytesIO()
    ImageOps.fit(Image.open(io.BytesIO(_data)).convert("RGB"), (side, side)).save(buffer, "JPEG", quality=82)
    return data_url(buffer.getvalue())
