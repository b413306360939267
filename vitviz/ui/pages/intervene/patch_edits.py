"""Image whose patches can be masked or ablated."""

from __future__ import annotations

import io

import streamlit as st
from PIL import Image, ImageDraw

from ....model.edits import Edit, KeyMask, PatchEdit
from ....notation.view import View
from ....trace.trace import Trace
from ....viz.explorer.payload import as_jpeg
from ...app import state
from ...app.views import VIEW
from ...components.patches import patch_picker
from . import edit_actions
from .settings import PATCH_TOOL

TOOLS = {"keys": "Mask", "mean": "Mean", "ask": "Query"}
TOOL_HELP = {
    "keys": "A click masks a patch: no token of any layer can attend to it{}.",
    "mean": "A click replaces a patch embedding by the mean of all patches; its position stays.",
    "ask": "A click chooses the query patch of the attention maps below.",
}


def image_panel(choice: state.Choice, trace: Trace, edits: tuple[Edit, ...], view: View) -> None:
    """Draw the image; a click edits a patch or chooses the query."""
    tool = PATCH_TOOL.draw(
        st.segmented_control, "Click on the image", list(TOOLS), format_func=TOOLS.get, required=True
    )
    pools = " and the pooling ignores it" if trace.config.pooling in ("mean", "token+mean", "attention") else ""
    st.caption(TOOL_HELP[tool].format(pools))
    asks = view.query is not None and view.query >= trace.prefix and not view.is_pool(trace)
    columns = trace.grid[1]

    def choose(row: int, column: int) -> None:
        if tool == "ask":
            set_query(trace.prefix + row * columns + column)
        else:
            edit_actions.toggle_patch(trace, tool, row, column)

    patch_picker(
        with_patch_edits(state.picture(choice, 640), trace, edits),
        choice.picked.name,
        trace.grid,
        divmod(view.query - trace.prefix, columns) if asks else None,
        on_choose=choose,
        switching=tool != "ask",
        key="intervene_picture",
    )
    if trace.config.stem:
        st.caption(
            "This model's convolutional stem mixes neighbouring patches: a patch contains some of its surroundings."
        )


def set_query(token: int | None) -> None:
    """Show the attention of this query token."""
    VIEW.change(query=token)


def with_patch_edits(picture: bytes, trace: Trace, edits: tuple[Edit, ...]) -> bytes:
    """Return the image with masked patches crossed out and mean-ablated patches covered in grey with a bar."""
    edited = [edit for edit in edits if isinstance(edit, PatchEdit)]
    if not edited:
        return picture
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    draw, (rows, columns) = ImageDraw.Draw(image), trace.grid
    for edit in edited:
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
