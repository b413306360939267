"""The picture, whose patches can be switched off."""

from __future__ import annotations

import io

import streamlit as st
from PIL import Image, ImageDraw

from ....model.edits import Edit, KeyMask, PatchEdit
from ....notation.view import View
from ....trace.trace import Trace
from ...app import state
from ...app.views import VIEW
from ...components.explorer.payload import as_jpeg
from ...components.patches import patch_picker
from . import chosen
from .settings import PATCH_TOOL

SWITCHES = {"keys": "Hide", "mean": "Mean", "ask": "Look from"}
SWITCH_WORDS = {
    "keys": "A click hides a patch: no token of any layer can look at it{}.",
    "mean": "A click gives a patch the mean of the patches as its embedding; its position stays.",
    "ask": "A click chooses the patch from which a head looks below.",
}


def the_picture(choice: state.Choice, trace: Trace, edits: tuple[Edit, ...], view: View) -> None:
    """The picture, whose patches can be switched off."""
    switch = PATCH_TOOL.draw(
        st.segmented_control, "A click on the picture", list(SWITCHES), format_func=SWITCHES.get, required=True
    )
    pools = (
        " and the model's pooling does not read it"
        if trace.config.pooling in ("mean", "token+mean", "attention")
        else ""
    )
    st.caption(SWITCH_WORDS[switch].format(pools))
    asks = view.query is not None and view.query >= trace.prefix and not view.is_pool(trace)
    columns = trace.grid[1]

    def choose(row: int, column: int) -> None:
        if switch == "ask":
            look_from(trace.prefix + row * columns + column)
        else:
            chosen.switch_patch(trace, switch, row, column)

    patch_picker(
        with_patches_off(state.picture(choice, 640), trace, edits),
        choice.picked.name,
        trace.grid,
        divmod(view.query - trace.prefix, columns) if asks else None,
        on_choose=choose,
        switching=switch != "ask",
        key="intervene_picture",
    )
    if trace.config.stem:
        st.caption(
            "This model's stem has mixed neighbours before there are patches: a patch knows some of what is round it."
        )


def look_from(token: int | None) -> None:
    """Show the attention of this token."""
    VIEW.change(query=token)


def with_patches_off(picture: bytes, trace: Trace, edits: tuple[Edit, ...]) -> bytes:
    """The picture with patches that are off crossed out (hidden) or covered with grey and a bar (mean)."""
    off = [edit for edit in edits if isinstance(edit, PatchEdit)]
    if not off:
        return picture
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    draw, (rows, columns) = ImageDraw.Draw(image), trace.grid
    for edit in off:
        row, column = divmod(edit.token - trace.prefix, columns)
        left, right = (round(at * image.width / columns) for at in (column, column + 1))
        top, bottom = (round(at * image.height / rows) for at in (row, row + 1))
        draw.rectangle((left, top, right - 1, bottom - 1), fill="#16141c" if isinstance(edit, KeyMask) else "#8b8d98")
        inset, width = max(1, (right - left) // 5), max(1, (right - left) // 12)
        left, top, right, bottom = left + inset, top + inset, right - 1 - inset, bottom - 1 - inset
        if isinstance(edit, KeyMask):
            draw.line((left, top, right, bottom), fill="white", width=width)
            draw.line((left, bottom, right, top), fill="white", width=width)
        else:
            draw.line((left, (top + bottom) // 2, right, (top + bottom) // 2), fill="white", width=width)
    return as_jpeg(image)
