"""Gallery of thumbnails."""

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
    labels: Mapping[str, str] | None = None,
    removable: Collection[str] = (),
    on_remove: Callable[[str], None] | None = None,
    key: str,
) -> str | None:
    """Draw thumbnails, one of which can be chosen.

    Args:
        label: accessible name of the group.
        images: image files by name.
        chosen: name of the framed image; None if there is none.
        on_choose: function called with the name of a clicked thumbnail.
        columns: thumbnails per row.
        titles: whether titles are shown below the thumbnails; otherwise they are tooltips.
        notes: texts below the titles, by name.
        whole: whether the whole image is shown; otherwise, a square crop of its centre.
        labels: titles by name; by default, the capitalized name.
        removable: names of images that the user can remove.
        on_remove: function called with the name of a removed image.
        key: identity of the gallery in the session.

    Returns:
        Name clicked just now; None in all later runs.
    """
    items = [
        {
            "name": name,
            "title": (labels or {}).get(name, name.capitalize()),
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
            raise ValueError("not an image of this gallery")
        return message

    def read_removable(message: object) -> str:
        if not isinstance(message, str) or message not in removable:
            raise ValueError("not a removable image")
        return message

    def choose(name: str) -> None:
        st.session_state[just_chosen] = name
        on_choose(name)

    listeners = {"chosen": Listener("an image", read, choose)}
    if on_remove:
        listeners["removed"] = Listener("a removable image", read_removable, on_remove)
    component.draw(data, listeners, key=key)
    return st.session_state.pop(just_chosen, None)


@cached()
def _thumbnail(digest: str, _data: bytes, side: int = 240) -> str:
    buffer = io.BytesIO()
    ImageOps.fit(Image.open(io.BytesIO(_data)).convert("RGB"), (side, side)).save(buffer, "JPEG", quality=82)
    return data_url(buffer.getvalue())
