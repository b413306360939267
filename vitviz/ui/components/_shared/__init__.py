"""Mounting of browser components, and exactly-once delivery of their messages.

Streamlit may unmount a component and mount it again at any time, for example when an element above it appears or
disappears, or on a page change. The session state is therefore the only source of truth. Each run sends it to the
component together with the number of the last message it includes. Message numbers only increase: a repeated or late
message has no effect, and the browser can tell whether the state it receives is newer than its own.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Collection, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from ....viz.browser import THEME, Markup
from ....viz.browser.binary import header_of, packed
from ....viz.browser.modules import link
from .later import address_of
from .messages import Listener, read_messages, whole_number

__all__ = ["Component", "Listener", "packed", "whole_number"]

_log = logging.getLogger(__name__)
_EMPTY = "<i hidden></i>"  # Streamlit requires some markup


class Component:
    """Browser component, defined by NAME.js and, optionally, NAME.html and NAME.css in a folder.

    An isolated component can use the colours of theme.css.

    Attributes:
        html, css, script: markup, style sheet and linked JavaScript module, as text.
        mount: Streamlit's mount function. `draw` also exchanges messages with a script that calls `mounted`.

    Args:
        name: name of the files, and name of the component in Streamlit after the prefix `vitviz.`.
        folder: folder of the files.
        base: component or markup to build on. Its markup is used if the folder has none; its style sheet comes first.
        css: additional rules, computed in Python.
        isolated: whether markup and styles are isolated from the page.

    Raises:
        ValueError: if the script cannot be linked, see `link`.
    """

    def __init__(
        self, name: str, folder: Path, *, base: Component | Markup | None = None, css: str = "", isolated: bool = True
    ):
        def read(kind: str) -> str:
            path = folder / f"{name}.{kind}"
            return path.read_text("utf-8") if path.exists() else ""

        self.html = read("html") or (base.html if base else _EMPTY)
        self.css = (base.css if base else THEME if isolated else "") + read("css") + css
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
        parts: Mapping[str, bytes] = MappingProxyType({}),
        later: Collection[str] = (),
        promised: Mapping[str, str] = MappingProxyType({}),
    ) -> Callable[[str, bytes], None]:
        """Draw the component, and return a function that sends a promised part, given its name and contents.

        Args:
            data: complete state to show.
            listeners: listeners by event, called before the page runs again.
            key: identity of the component in the session.
            parts: large parts of the state by name, each made by `packed`. They are sent in this order, and only if
                they have changed. The component itself is sent after the first part and shows the parts that have
                arrived.
            later: names of parts that are not sent: the browser fetches them when all others have arrived, first the
                one that the component wants most.
            promised: keys of further parts by name. They are made and sent when the component has been sent, which
                then does not wait for them.
        """
        state = {**data, "key": key, "session": _session(), "received": _received().get(key, 0)}
        mount = partial(self.mount, key=key, on_outbox_change=partial(dispatch, key, listeners))
        if not parts:
            mount(data=state)
            return _send_nothing
        waiting = {name: address_of(parts[name], f"vitviz {key} {name}") for name in later}
        fetched = {
            name: {"key": header_of(parts[name])["key"], "url": url} for name, url in waiting.items() if url is not None
        }
        keys = [*(header_of(part)["key"] for part in parts.values()), *promised.values()]
        state |= {"parts": keys, "later": fetched}
        with st.container(gap=None):
            # An element whose position changes would be mounted again. Each part and the component therefore have a
            # container at a fixed position, independent of the order and number of parts.
            store, place = st.container(gap=None), st.container(gap=None)
            with store:
                places = {name: st.container(gap=None) for name in sorted([*parts, *promised])}
            for index, (name, part) in enumerate(parts.items()):
                if name not in fetched:
                    _send(places[name], key, name, part)
                if index == 0:
                    with place:
                        mount(data=state)
        return lambda name, part: _send(places[name], key, name, part)


_store = Component("payload_store", Path(__file__).parent).mount


def _send(place: DeltaGenerator, key: str, name: str, part: bytes) -> None:
    with place:
        _store(data=part, key=f"{key}_part_{name}")


def _send_nothing(name: str, part: bytes) -> None:
    """Do nothing: a component without parts has promised none."""


def dispatch(key: str, listeners: Mapping[str, Listener]) -> None:
    """Pass the new messages of a component to its listeners, in order."""
    try:
        messages = read_messages(st.session_state[key].outbox, _session())
    except ValueError as error:  # not sent by a vitviz script
        _log.warning("Ignored invalid messages from a browser: %s.", error)
        return
    for number, event, value in messages:
        if number <= _received().get(key, 0):
            continue
        _received()[key] = number
        if event not in listeners:
            _log.warning("Ignored a message from a browser: the event has no listener.")
            continue
        label, parse, act = listeners[event]
        try:
            parsed = parse(value)
        except ValueError as error:  # as above
            _log.warning("Ignored a message from a browser, expected %s: %s.", label, error)
            continue
        act(parsed)


def _session() -> str:
    """Random identifier of this session, which distinguishes it from earlier sessions of the same browser."""
    return st.session_state.setdefault("session_mark", secrets.token_hex(8))


def _received() -> dict[str, int]:
    """Number of the last message received, by component key."""
    return st.session_state.setdefault("received", {})
