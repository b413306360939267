"""Messages from browsers. They are numbered, and each is handled once. Anybody can send one, so all are validated."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

MOST = 100  # maximum number of pending messages of a browser
_LARGEST = 2**53  # JSON integers up to this size are exact in browsers


class Message(NamedTuple):
    """One action of the user.

    Attributes:
        number: sequence number; later messages have larger ones.
        event: name of the event.
        value: value of the event, not yet validated.
    """

    number: int
    event: str
    value: Any


class Listener(NamedTuple):
    """Listener for one event.

    Attributes:
        label: description of the value, for the log.
        parse: function that turns the value of a message into the argument of `act`; raises a `ValueError` if the
            value is invalid.
        act: function called once per message.
    """

    label: str
    parse: Callable[[Any], Any]
    act: Callable[[Any], None]


def read_messages(outbox: object, session: str) -> list[Message]:
    """Return the messages of a browser, in order; none if they are addressed to an earlier session.

    A browser sends a message again until it is acknowledged. After a lost connection, it may therefore send messages
    that belong to an earlier session.

    Raises:
        ValueError: if the messages are malformed.
    """
    if not isinstance(outbox, dict) or set(outbox) != {"session", "messages"}:
        raise ValueError("not messages of a session")
    if outbox["session"] != session:
        return []
    messages = outbox["messages"]
    if not isinstance(messages, list) or len(messages) > MOST:
        raise ValueError("not a list of messages")
    return [_message(one) for one in messages]


def _message(sent: object) -> Message:
    if not isinstance(sent, dict) or set(sent) != {"number", "event", "value"} or not isinstance(sent["event"], str):
        raise ValueError("not a message")
    return Message(whole_number(sent["number"]), sent["event"], sent["value"])


def whole_number(value: object) -> int:
    """Return an integer from JSON. Some browsers write 3 as 3.0. Booleans are rejected.

    Raises:
        ValueError: if the value is not an integer.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("not a number")
    if value != value // 1 or abs(value) > _LARGEST:
        raise ValueError("not a whole number")
    return int(value)
