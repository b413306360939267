"""Components without a browser: they are drawn, and hear what a browser would tell."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from vitviz.ui.components import _shared as mounting

SESSION = "this session"


class Sent(dict):
    """What a component's state looks like in the session."""

    __getattr__ = dict.get


def message(number: int, event: str, value: Any) -> dict:
    """A message as a browser tells it."""
    return {"number": number, "event": event, "value": value}


class Browser:
    """Stands in for one, and for Streamlit's session.

    Args:
        monkeypatch: pytest's.
        component: what is drawn.
        draw: draws it with the key `"it"`.
    """

    def __init__(self, monkeypatch, component: mounting.Component, draw: Callable[[], Any]):
        self.session, self.draw, self.drawn = Sent(session_mark=SESSION), draw, {}
        monkeypatch.setattr(component, "mount", lambda **arguments: self.drawn.update(arguments))
        monkeypatch.setattr(mounting.st, "session_state", self.session)

    def tell(self, *messages: dict, session: str = SESSION) -> Any:
        """Draw the component, tell all of these, and draw it again.

        Returns:
            What the second drawing returned.
        """
        return self.send({"session": session, "messages": list(messages)})

    def send(self, told: object) -> Any:
        """The same for anything that somebody may send."""
        self.draw()
        self.session["it"] = Sent(outbox=told)
        self.drawn["on_outbox_change"]()
        return self.draw()
