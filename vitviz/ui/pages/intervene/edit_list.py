"""List of the edits with fixed height; a click undoes an edit."""

from __future__ import annotations

from collections.abc import Iterable

import streamlit as st

from ....model.edits import ActivationCopy, Edit, HeadAblation, Temperature
from ....notation.edits import edit_label, format_edits
from ....trace.trace import Trace
from ...app import state
from ...app.messages import escape_markdown
from . import defaults, edit_actions
from .settings import EDITS, LISTED

HEIGHT = 150  # pixels; fixed, so that nothing below moves


def edit_list(choice: state.Choice, trace: Trace, edits: tuple[Edit, ...]) -> None:
    """Draw the edits, the last first."""
    lines = grouped(edits, trace.heads)
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="undoing"):
        st.markdown(f"**Edits** ({len(edits)})" if edits else "**No edits yet.**", width="content")
        if edits:
            _button("Undo last", lines[-1], "undo_last", icon=None)
            _button("Undo all", edits, "undo_all", icon=None)
    with st.container(height=HEIGHT, border=False, key="edits", gap=None):
        if st.session_state.get("edit_problem"):
            st.warning(escape_markdown(st.session_state.pop("edit_problem")))
        if st.session_state.pop("edits_away", False):
            with st.container(key="edits_away"):
                st.caption("Edits of the other model or grid return when you switch back.")
        if edit_actions.keeps_patch_edits(choice):
            with st.container(key="patch_edits_kept"):
                st.caption("Ablated patches stay ablated in this image.")
        if not EDITS.is_set():
            st.caption(f"{defaults.description(trace)} Click it to undo.")
        elif edits:
            st.caption("Click an edit to undo it.")
        _lines(trace, lines)


def grouped(edits: Iterable[Edit], heads: int) -> list[tuple[Edit, ...]]:
    """Group the edits into lines: the same edit of all heads of a layer takes one line.

    Args:
        edits: the edits, oldest first.
        heads: number of heads per layer.

    Returns:
        The lines, ordered by the last edit of each.
    """
    edits = tuple(edits)
    same: dict[tuple, tuple[Edit, ...]] = {}
    for edit in edits:
        same[_operation(edit)] = (*same.get(_operation(edit), ()), edit)
    lines = []
    for edit in edits:
        together = same[_operation(edit)]
        if heads == 1 or len(together) < heads or _operation(edit)[0] is None:
            lines.append((edit,))
        elif edit == together[-1]:
            lines.append(together)
    return lines


def _operation(edit: Edit) -> tuple:
    """Return the operation on a head regardless of the head; for other edits, the edit itself."""
    match edit:
        case HeadAblation(layer, _, how):
            return "ablated", layer, how
        case Temperature(layer, _, value):
            return "temperature", layer, value
        case ActivationCopy(layer, int(), _):
            return "copied", layer
    return None, edit


def _lines(trace: Trace, lines: list[tuple[Edit, ...]]) -> None:
    listed = LISTED.get()
    for line in lines[: -listed - 1 : -1]:
        _button(
            _label(trace, line), line, f"undo_{format_edits(line, trace.config, trace.grid)}", icon=":material/undo:"
        )
    earlier = len(lines) - listed
    if earlier > 0:
        st.button(
            f"… {earlier} earlier edits",
            key="edits_more",
            type="tertiary",
            on_click=LISTED.set,
            args=(listed + 2 * LISTED.default_value(),),
        )


def _label(trace: Trace, line: tuple[Edit, ...]) -> str:
    label = edit_label(line[0], trace.config, trace.grid)
    if len(line) == 1:
        return label
    label = label.replace(f"head {line[0].head + 1}", "all heads", 1).replace("it looks", "they look")
    return f"{label}; the projection’s bias is still added" if _leaves_bias(trace, line[0]) else label


def _leaves_bias(trace: Trace, off: Edit) -> bool:
    """Return True if ablating all heads of the layer leaves the bias of the output projection."""
    zero = isinstance(off, HeadAblation) and off.how == "zero"
    return zero and trace.model.blocks[off.layer].attn.proj.bias is not None


def _button(label: str, edits: Iterable[Edit], key: str, *, icon: str | None) -> None:
    st.button(label, icon=icon, key=key, type="tertiary", on_click=edit_actions.undo, args=(tuple(edits),))
