"""Mounting of components: they show what the session says, and each thing that a visitor does is heard once.

Streamlit may take a component off the page and mount it again at any time: when something above it appears or goes,
when a page is left and entered. A component therefore keeps nothing that counts. It gets the session's state with every
run, with the number of the last message that this state includes; a message has a larger number than all before it. So
a message that is told twice, or late, changes nothing, and the browser knows whether what it is told is news.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import streamlit as st

from .binary import header_of, packed
from .messages import Listener, read_messages, whole_number
from .modules import link

__all__ = ["Component", "Listener", "packed", "whole_number"]

_log = logging.getLogger(__name__)
_NOTHING = "<i hidden></i>"  # Streamlit expects elements


class Component:
    """A component of the page: NAME.js in a folder, with NAME.html and NAME.css if there are any.

    Attributes:
        html, css, script: elements, style sheet and module, as texts; the module is linked with all that it imports.
        mount: Streamlit's function that draws it; `draw` also speaks with a script that calls `mounted`.

    Args:
        name: name of the files, and of the component in Streamlit, after `vitviz.`.
        folder: folder of the files.
        base: component that this one builds on: its elements are used if there are no own ones, and its style sheet
            comes before the own one.
        css: more of the style sheet, for what is computed in Python.
        isolated: whether elements and styles are kept apart from the rest of the page.

    Raises:
        ValueError: if the script cannot be linked, see `link`.
    """

    def __init__(self, name: str, folder: Path, *, base: Component | None = None, css: str = "", isolated: bool = True):
        def read(kind: str) -> str:
            path = folder / f"{name}.{kind}"
            return path.read_text("utf-8") if path.exists() else ""

        self.html = read("html") or (base.html if base else _NOTHING)
        self.css = (base.css if base else "") + read("css") + css
        self.script = link(folder / f"{name}.js")
        self.mount = st.components.v2.component(
            f"vitviz.{name}", html=self.html, css=self.css or None, js=self.script, isolate_styles=isolated
        )

    def draw(
        self,
        data: Mapping[str, Any],
        listeners: Mapping[str, Listener],
        *,
        key: str,
        held: Mapping[str, bytes] = MappingProxyType({}),
    ) -> None:
        """Draw it.

        Args:
            data: what it shows now, all of which counts.
            listeners: who hears of what the visitor does, before the page runs again, by event.
            key: identity of this component in the session.
            held: large parts of what it shows, each made by `packed`, by name. They are sent in this order, each only
                if it is another one than before; the component is sent after the first, and shows what has arrived.
        """
        said = {**data, "key": key, "session": _session(), "heard": _heard().get(key, 0)}
        mount = partial(self.mount, key=key, on_told_change=partial(hear, key, listeners))
        if not held:
            mount(data=said)
            return
        with st.container(gap=None):
            # Whatever moved would be mounted anew. So a part has its place whichever is sent first, and the component
            # has its own however many parts there are.
            store, place = st.container(gap=None), st.container(gap=None)
            with store:
                places = {name: st.container(gap=None) for name in sorted(held)}
            for turn, (name, part) in enumerate(held.items()):
                with places[name]:
                    _hold(data=part, key=f"{key}_held_{name}")
                if turn == 0:
                    with place:
                        mount(data=said | {"held": [header_of(part)["key"] for part in held.values()]})


_hold = Component("held", Path(__file__).parent).mount


def hear(key: str, listeners: Mapping[str, Listener]) -> None:
    """Have each message of a component that is new heard by its listener, in order."""
    try:
        messages = read_messages(st.session_state[key].told, _session())
    except ValueError as error:  # our scripts send only messages; this is somebody else's
        _log.warning("Left out what a browser sent as messages: %s.", error)
        return
    for number, event, value in messages:
        if number <= _heard().get(key, 0):
            continue
        _heard()[key] = number
        if event not in listeners:
            _log.warning("Left out what a browser sent: nobody listens.")
            continue
        what, read, act = listeners[event]
        try:
            meant = read(value)
        except ValueError as error:  # as above
            _log.warning("Left out what a browser sent as %s: %s.", what, error)
            continue
        act(meant)


def _session() -> str:
    """Mark that tells this session from one that a browser had before; of no use to anybody else."""
    return st.session_state.setdefault("session_mark", secrets.token_hex(8))


def _heard() -> dict[str, int]:
    """The number of the last message that was heard, by the component's key."""
    return st.session_state.setdefault("heard", {})
