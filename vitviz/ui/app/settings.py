"""Settings of the user, kept for the session across pages, and written to links.

Streamlit drops the value of a widget as soon as a run does not draw it, and also when a page change interrupts a run.
The value of a setting is therefore stored separately: a callback copies the widget's value before the page runs, and
each run sets the widget to the stored value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import streamlit as st

from . import notices

_STORED = "settings"  # values of all settings that were set, by key
_LINK = "link"  # query parameters of the link that started the session, without those already read


@dataclass(frozen=True)
class Setting:
    """Setting that a user can choose.

    Its functions take a context, on which the setting depends. For the settings of a page, this is the `Choice` of
    image and model.

    Attributes:
        key: key of the widget and of the stored value.
        default: default value, or function that computes it from the context.
        name: query parameter in links; empty if links do not include the setting.
        read: parser of the query parameter. It raises a `ValueError` with the allowed values, in a form that follows
            "it can be".
        write: formatter of the query parameter; an empty text omits it.
        valid: predicate for values in a context. While the stored value is invalid, the default is used.
        per: function that returns a suffix of the key, such as the model's name. Each suffix has its own value.
        always: whether links include the setting even if it has the default value.
        of_classes: whether the value may name a class of the model.
    """

    key: str
    default: Any = None
    name: str = ""
    read: Callable[[str, Any], Any] = lambda text, context: text
    write: Callable[[Any, Any], str] = lambda value, context: str(value)
    valid: Callable[[Any, Any], bool] = lambda value, context: True
    per: Callable[[Any], str] | None = None
    always: bool = False
    of_classes: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the query parameters of the setting."""
        return (self.name,) if self.name else ()

    def key_of(self, context: Any = None) -> str:
        """Return the key in this context."""
        return self.key if self.per is None else f"{self.key}_{self.per(context)}"

    def get(self, context: Any = None) -> Any:
        """Return the value last set, else that of the link, else the default."""
        return _stored()[self.key_of(context)] if self.is_set(context) else self.default_value(context)

    def set(self, value: Any, context: Any = None) -> None:
        """Set the value. The widget is updated when it is next drawn."""
        _stored()[self.key_of(context)] = value

    def stored(self, context: Any = None) -> Any:
        """Return the stored value, valid or not; None if no value was set."""
        return _stored().get(self.key_of(context))

    def store_current(self, context: Any = None) -> None:
        """Store the value that applies in this context, even if it is the default."""
        self.set(self.get(context), context)

    def reset(self, context: Any = None) -> None:
        """Reset the setting to its default, and discard the state of its widget."""
        _stored().pop(self.key_of(context), None)
        st.session_state.pop(self.key_of(context), None)

    def default_value(self, context: Any = None) -> Any:
        """Return the default."""
        return self.default(context) if callable(self.default) else self.default

    def is_set(self, context: Any = None) -> bool:
        """Return True if the user or a link has set a value that is valid in this context."""
        self.take_from_link(context)
        values, key = _stored(), self.key_of(context)
        return key in values and self.valid(values[key], context)

    def draw(
        self,
        widget: Callable[..., Any],
        *arguments: Any,
        context: Any = None,
        then: Callable[[], None] | None = None,
        **options: Any,
    ) -> Any:
        """Draw a widget for the setting, and return the value.

        Args:
            widget: widget function, such as `st.toggle`.
            *arguments: positional arguments of the widget, such as its label.
            context: context of the setting.
            then: function called after the widget has changed the value, before the page runs.
            **options: keyword arguments of the widget.
        """
        key = self.key_of(context)
        bound(
            widget,
            *arguments,
            key=key,
            value=self.get(context),
            take=partial(self._take, key, context, then),
            **options,
        )
        return self.get(context)

    def _take(self, key: str, context: Any, then: Callable[[], None] | None, value: Any) -> None:
        if self.valid(value, context):  # invalid only if the message was tampered with
            _stored()[key] = value
            if then is not None:
                then()

    def take_from_link(self, context: Any = None) -> None:
        """Set the value given by the link, once, and add notices for invalid parameters."""
        link = st.session_state.get(_LINK, {})
        texts = {name: link.pop(name) for name in self.names if name in link}
        if texts:
            value, wrong = self.from_link(texts, context)
            if value is not None:
                self.set(value, context)
            notices.add(wrong)

    def from_link(self, texts: Mapping[str, str], context: Any = None) -> tuple[Any, list[str]]:
        """Parse the value in a link. Return it, or None if there is none, and a notice for each invalid parameter."""
        values, wrong = read({self.name: lambda text: self.read(text, context)}, texts)
        return values.get(self.name), wrong

    def to_link(self, context: Any = None) -> dict[str, str]:
        """Return the query parameters of the setting; none for the default value, unless `always`."""
        if not self.name or not (self.is_set(context) or self.always):
            return {}
        text = self.write(self.get(context), context)
        return {self.name: text} if text else {}


def bound(
    widget: Callable[..., Any], *arguments: Any, key: str, value: Any, take: Callable[[Any], None], **options: Any
) -> None:
    """Draw a widget for a value that is stored elsewhere, such as a part of a setting.

    Args:
        widget: widget function, such as `st.selectbox`.
        *arguments: positional arguments of the widget, such as its label.
        key: key of the widget.
        value: current value.
        take: function called with the new value when the user changes it, before the page runs.
        **options: keyword arguments of the widget.
    """
    # In every run: it also restores widgets whose value Streamlit has dropped. Set once, the value would be lost if
    # another run began before it was sent; the browser would then show the default, and send it with the next click.
    st.session_state[key] = value
    widget(*arguments, key=key, on_change=_hand_on, args=(key, take), **options)


def _hand_on(key: str, take: Callable[[Any], None]) -> None:
    if key in st.session_state:  # removed if another click in the same run has reset the widget
        take(st.session_state[key])


def begin(parameters: Mapping[str, str]) -> None:
    """Start a session from a link. Each setting reads its parameters when it is first used."""
    st.session_state[_STORED], st.session_state[_LINK] = {}, dict(parameters)


def read(parsers: Mapping[str, Callable], parameters: Mapping[str, str]) -> tuple[dict, list[str]]:
    """Parse query parameters. Return the values by name, and a notice for each invalid parameter.

    Args:
        parsers: parsers by name; they raise a `ValueError` with the allowed values.
        parameters: texts by name.
    """
    values, notes = {}, []
    for name, parse in parsers.items():
        if name in parameters:
            try:
                values[name] = parse(parameters[name])
            except ValueError as error:
                notes.append(f"The link's {name} “{parameters[name][:40]}” was ignored: it can be {error}.")
    return values, notes


def _stored() -> dict[str, Any]:
    return st.session_state.setdefault(_STORED, {})
