"""Messages from browsers: numbered, and each heard once. Anybody can send one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

MOST = 100  # messages that a browser may have waiting
_LARGEST = 2**53  # up to here JSON's numbers are exact in browsers


class Message(NamedTuple):
    """One thing that a visitor did.

    Attributes:
        number: a later message has a larger one.
        event: what it was.
        value: more about it, not read yet.
    """

    number: int
    event: str
    value: Any


class Listener(NamedTuple):
    """Who hears of an event.

    Attributes:
        what: what is told, in words.
        read: makes of a message's value what `act` is called with; a `ValueError` says why it cannot be.
        act: called once for each message.
    """

    what: str
    read: Callable[[Any], Any]
    act: Callable[[Any], None]


def read_messages(told: object, session: str) -> list[Message]:
    """The messages that a browser tells, in order; none if they are to a session that is no more.

    A browser repeats what has not been heard. After the connection was lost, that may be meant for an earlier session.

    Raises:
        ValueError: if these are no messages.
    """
    if not isinstance(told, dict) or set(told) != {"session", "messages"}:
        raise ValueError("not messages of a session")
    if told["session"] != session:
        return []
    messages = told["messages"]
    if not isinstance(messages, list) or len(messages) > MOST:
        raise ValueError("not a list of messages")
    return [_message(one) for one in messages]


def _message(told: object) -> Message:
    if not isinstance(told, dict) or set(told) != {"number", "event", "value"} or not isinstance(told["event"], str):
        raise ValueError("not a message")
    return Message(whole_number(told["number"]), told["event"], told["value"])


def whole_number(value: object) -> int:
    """A whole number from JSON, where some browsers write 3 as 3.0; `True` is none.

    Raises:
        ValueError: if it is anything else.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("not a number")
    if value != value // 1 or abs(value) > _LARGEST:
        raise ValueError("not a whole number")
    return int(value)
