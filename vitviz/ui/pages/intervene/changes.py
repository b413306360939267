"""The list of what has been changed: in words, in a place of its own height, each undone by a click."""

from __future__ import annotations

from collections.abc import Iterable

import streamlit as st

from ....model.edits import ActivationCopy, Edit, HeadAblation, Temperature
from ....notation.edits import in_words, to_text
from ....trace.trace import Trace
from ...app import state
from ...app.messages import escape_markdown
from . import chosen, first
from .settings import EDITS, LISTED

HEIGHT = 150  # pixels, whatever is in it, so that nothing below moves


def changes(choice: state.Choice, trace: Trace, edits: tuple[Edit, ...]) -> None:
    """What has been changed, the last first."""
    lines = in_lines(edits, trace.heads)
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="undoing"):
        st.markdown(f"**What is changed** ({len(edits)})" if edits else "**Nothing is changed yet.**", width="content")
        if edits:
            _button("Undo last", lines[-1], "undo_last", icon=None)
            _button("Undo all", edits, "undo_all", icon=None)
    with st.container(height=HEIGHT, border=False, key="edits", gap=None):
        if st.session_state.get("edit_problem"):
            st.warning(escape_markdown(st.session_state.pop("edit_problem")))
        if st.session_state.pop("edits_away", False):
            st.caption("What you changed in the other model or grid comes back when you return to it.")
        if chosen.stays_off(choice):
            st.caption("Patches switched off stay off in this image.")
        if not EDITS.is_set():
            st.caption(f"{first.words(trace)} Click it to switch it on again.")
        elif edits:
            st.caption("Click one to undo it.")
        _lines(trace, lines)


def in_lines(edits: Iterable[Edit], heads: int) -> list[tuple[Edit, ...]]:
    """The edits, those together in a line that do the same to all heads of a layer.

    Args:
        edits: in the order in which they were made.
        heads: how many heads a layer has.

    Returns:
        The lines, in the order of the last edit of each.
    """
    edits = tuple(edits)
    alike: dict[tuple, tuple[Edit, ...]] = {}
    for edit in edits:
        alike[_done(edit)] = (*alike.get(_done(edit), ()), edit)
    lines = []
    for edit in edits:
        together = alike[_done(edit)]
        if heads == 1 or len(together) < heads or _done(edit)[0] is None:
            lines.append((edit,))
        elif edit == together[-1]:
            lines.append(together)
    return lines


def _done(edit: Edit) -> tuple:
    """What is done to a head, without which head it is; for anything else, the edit itself."""
    match edit:
        case HeadAblation(layer, _, how):
            return "off", layer, how
        case Temperature(layer, _, value):
            return "temperature", layer, value
        case ActivationCopy(layer, int(), _):
            return "copied", layer
    return None, edit


def _lines(trace: Trace, lines: list[tuple[Edit, ...]]) -> None:
    listed = LISTED.get()
    for line in lines[: -listed - 1 : -1]:
        _button(_words(trace, line), line, f"undo_{to_text(line, trace.config, trace.grid)}", icon=":material/undo:")
    earlier = len(lines) - listed
    if earlier > 0:
        st.button(
            f"… {earlier} earlier ones",
            key="edits_more",
            type="tertiary",
            on_click=LISTED.set,
            args=(listed + 2 * LISTED.default_value(),),
        )


def _words(trace: Trace, line: tuple[Edit, ...]) -> str:
    words = in_words(line[0], trace.config, trace.grid)
    if len(line) == 1:
        return words
    words = words.replace(f"head {line[0].head + 1}", "all heads", 1).replace("it looks", "they look")
    return f"{words}; the projection’s bias is still added" if _leaves_a_bias(trace, line[0]) else words


def _leaves_a_bias(trace: Trace, off: Edit) -> bool:
    """Whether all heads of the layer together are not all of its attention: zeros are projected to the bias."""
    zero = isinstance(off, HeadAblation) and off.how == "zero"
    return zero and trace.model.blocks[off.layer].attn.proj.bias is not None


def _button(words: str, edits: Iterable[Edit], key: str, *, icon: str | None) -> None:
    st.button(words, icon=icon, key=key, type="tertiary", on_click=chosen.undo, args=(tuple(edits),))
