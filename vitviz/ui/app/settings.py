"""Settings: what a user chooses, kept for the session whichever pages they visit, and written into links.

Streamlit forgets a widget as soon as a run does not draw it, and what it says when a run is cut short by a page change.
The value of a setting is therefore kept apart from its widget: a callback takes over what the widget says before the
page runs, and each run gives the value back to the widget.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import streamlit as st

from . import notices

_KEPT = "settings"  # values of all settings that were set, by key
_LINK = "link"  # query parameters of the link that began the session, without those that have been read


@dataclass(frozen=True)
class Setting:
    """One thing that a user can choose.

    Its functions get a value and the context: what the setting depends on, which for the settings of a page is the
    `Choice` of image and model.

    Attributes:
        key: of its widget, and of its value among all settings.
        default: value until the user sets another one, or what computes it from the context.
        name: query parameter in links; empty if no link holds it.
        read: understands the query parameter; a `ValueError` says what it can be, to be put behind "it can be".
        write: the query parameter's text; empty if a link need not hold it.
        valid: whether a value that was set means something in this context; if not, the default is used meanwhile.
        per: what the value is kept for, such as the model, as a part of the key; each has a value of its own.
        always: whether a link also holds the default.
    """

    key: str
    default: Any = None
    name: str = ""
    read: Callable[[str, Any], Any] = lambda text, context: text
    write: Callable[[Any, Any], str] = lambda value, context: str(value)
    valid: Callable[[Any, Any], bool] = lambda value, context: True
    per: Callable[[Any], str] | None = None
    always: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """All query parameters that it is written as."""
        return (self.name,) if self.name else ()

    def key_of(self, context: Any = None) -> str:
        """The key in this context."""
        return self.key if self.per is None else f"{self.key}_{self.per(context)}"

    def get(self, context: Any = None) -> Any:
        """The value: what was set last, else what the link asks for, else the default."""
        return _kept()[self.key_of(context)] if self.is_set(context) else self.first(context)

    def set(self, value: Any, context: Any = None) -> None:
        """Set the value; its widget follows when it is drawn next."""
        _kept()[self.key_of(context)] = value

    def kept(self, context: Any = None) -> Any:
        """The value that was set, whether it is valid or not; None if none was."""
        return _kept().get(self.key_of(context))

    def settle(self, context: Any = None) -> None:
        """Set the value that holds in this context."""
        self.set(self.get(context), context)

    def reset(self, context: Any = None) -> None:
        """Have the default again; the widget begins anew."""
        _kept().pop(self.key_of(context), None)
        st.session_state.pop(self.key_of(context), None)

    def first(self, context: Any = None) -> Any:
        """The default."""
        return self.default(context) if callable(self.default) else self.default

    def is_set(self, context: Any = None) -> bool:
        """Whether the user, or a link, has set a value that is valid here."""
        self.take_from_link(context)
        kept, key = _kept(), self.key_of(context)
        return key in kept and self.valid(kept[key], context)

    def draw(
        self,
        widget: Callable[..., Any],
        *arguments: Any,
        context: Any = None,
        then: Callable[[], None] | None = None,
        **options: Any,
    ) -> Any:
        """Draw a widget that shows the value and sets it; the value.

        Args:
            widget: such as `st.toggle`.
            *arguments: its label, options and the like.
            context: what the setting depends on.
            then: called when the widget has set another value, before the page runs.
            **options: what else the widget takes.
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
        if self.valid(value, context):  # only a tampered message says anything else
            _kept()[key] = value
            if then is not None:
                then()

    def take_from_link(self, context: Any = None) -> None:
        """Set what the link asks for, and note what could not be used; only once, then the user's choices count."""
        link = st.session_state.get(_LINK, {})
        texts = {name: link.pop(name) for name in self.names if name in link}
        if texts:
            value, wrong = self.from_link(texts, context)
            if value is not None:
                self.set(value, context)
            notices.add(wrong)

    def from_link(self, texts: Mapping[str, str], context: Any = None) -> tuple[Any, list[str]]:
        """The value that a link asks for, None if it asks for none, and a notice for each part that means nothing."""
        values, wrong = read({self.name: lambda text: self.read(text, context)}, texts)
        return values.get(self.name), wrong

    def to_link(self, context: Any = None) -> dict[str, str]:
        """The query parameters that reopen the value; none if it is the default, unless `always`."""
        if not self.name or not (self.is_set(context) or self.always):
            return {}
        text = self.write(self.get(context), context)
        return {self.name: text} if text else {}


def bound(
    widget: Callable[..., Any], *arguments: Any, key: str, value: Any, take: Callable[[Any], None], **options: Any
) -> None:
    """Draw a widget that shows a value which is kept elsewhere, such as a part of a setting.

    Args:
        widget: such as `st.selectbox`.
        *arguments: its label, options and the like.
        key: the widget's.
        value: what it shows now.
        take: called with another value as soon as the user has chosen it, before the page runs.
        **options: what else the widget takes.
    """
    st.session_state[key] = value  # also for a widget that Streamlit has forgotten
    widget(*arguments, key=key, on_change=_hand_on, args=(key, take), **options)


def _hand_on(key: str, take: Callable[[Any], None]) -> None:
    if key in st.session_state:  # else a click that was heard with this one has the widget begin anew
        take(st.session_state[key])


def begin(parameters: Mapping[str, str]) -> None:
    """Begin a session with a link; each setting reads its parameters when it is first needed."""
    st.session_state[_KEPT], st.session_state[_LINK] = {}, dict(parameters)


def read(understand: Mapping[str, Callable], parameters: Mapping[str, str]) -> tuple[dict, list[str]]:
    """What parameters mean, and a notice for each that means nothing.

    Args:
        understand: what makes a value of each text, by name; a `ValueError` says what the text can be.
        parameters: texts by name.
    """
    values, wrong = {}, []
    for name, value_of in understand.items():
        if name in parameters:
            try:
                values[name] = value_of(parameters[name])
            except ValueError as error:
                wrong.append(f"The link's {name} “{parameters[name][:40]}” was left out: it can be {error}.")
    return values, wrong


def _kept() -> dict[str, Any]:
    return st.session_state.setdefault(_KEPT, {})
