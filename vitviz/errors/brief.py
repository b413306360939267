"""One-line representations of objects that hold arrays and models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import TypeVar

from .arguments import shown

_Class = TypeVar("_Class", bound=type)
_MAX_ITEMS = 4  # shown of a list
_MAX_LENGTH = 240  # characters of the repr of another object


def brief(kind: _Class) -> _Class:
    """Give a dataclass a one-line `repr`, which shows the dtype and shape of arrays instead of their numbers."""

    def __repr__(self: object) -> str:  # noqa: N807 - it is set on the class
        fields_text = ", ".join(f"{one.name}={_format(getattr(self, one.name))}" for one in fields(self) if one.repr)
        return f"{type(self).__name__}({fields_text})"

    kind.__repr__ = __repr__
    return kind


def _format(value: object) -> str:
    if hasattr(value, "dtype") and hasattr(value, "shape"):
        return f"{str(value.dtype).removeprefix('torch.')} {list(value.shape)}"
    if isinstance(value, Mapping):
        items = [f"{_format(key)}: {_format(inner)}" for key, inner in list(value.items())[:_MAX_ITEMS]]
        return f"{{{', '.join(items)}{_more(value)}}}"
    if isinstance(value, tuple | list):
        opened, closed = "()" if isinstance(value, tuple) else "[]"
        alone = "," if isinstance(value, tuple) and len(value) == 1 else ""
        return f"{opened}{', '.join(map(_format, value[:_MAX_ITEMS]))}{alone}{_more(value)}{closed}"
    if isinstance(value, str | int | float | bool | None):
        return shown(value)
    text = " ".join(repr(value).split())
    return text if len(text) <= _MAX_LENGTH else f"{text[:_MAX_LENGTH]}…"


def _more(values: list | tuple | Mapping) -> str:
    return f", … {len(values) - _MAX_ITEMS} more" if len(values) > _MAX_ITEMS else ""
