"""Stand-in for a browser: draws components and sends them messages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from vitviz.ui.components import _shared as mounting

SESSION = "this session"


class Sent(dict):
    """State of a component in the session."""

    __getattr__ = dict.get


def message(number: int, event: str, value: Any) -> dict:
    """Return a message as sent by a browser."""
    return {"number": number, "event": event, "value": value}


class Browser:
    """Stand-in for a browser and for Streamlit's session.

    Args:
        monkeypatch: pytest's.
        component: component to draw.
        draw: function that draws it with the key `"it"`.
    """

    def __init__(self, monkeypatch, component: mounting.Component, draw: Callable[[], Any]):
        self.session, self.draw, self.drawn = Sent(session_mark=SESSION), draw, {}
        monkeypatch.setattr(component, "mount", lambda **arguments: self.drawn.update(arguments))
        monkeypatch.setattr(mounting.st, "session_state", self.session)

    def tell(self, *messages: dict, session: str = SESSION) -> Any:
        """Draw the component, send messages, and draw it again.

        Returns:
            Result of the second drawing.
        """
        return self.send({"session": session, "messages": list(messages)})

    def send(self, outbox: object) -> Any:
        """Send any object, such as invalid messages."""
        self.draw()
        self.session["it"] = Sent(outbox=outbox)
        self.drawn["on_outbox_change"]()
        return self.draw()
