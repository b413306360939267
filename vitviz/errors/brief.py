"""One-line representations of objects that hold arrays and models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import TypeVar

from .arguments import shown

_Class = TypeVar("_Class", bound=type)
_MOST = 4  # items of a list that are written out
_LONGEST = 240  # letters of another object


def brief(kind: _Class) -> _Class:
    """Give a dataclass a `repr` on one line, which tells arrays by their type and shape."""

    def __repr__(self: object) -> str:  # noqa: N807 - it is set on the class
        told = ", ".join(f"{one.name}={_told(getattr(self, one.name))}" for one in fields(self) if one.repr)
        return f"{type(self).__name__}({told})"

    kind.__repr__ = __repr__
    return kind


def _told(value: object) -> str:
    if hasattr(value, "dtype") and hasattr(value, "shape"):
        return f"{str(value.dtype).removeprefix('torch.')} {list(value.shape)}"
    if isinstance(value, Mapping):
        items = [f"{_told(key)}: {_told(inner)}" for key, inner in list(value.items())[:_MOST]]
        return f"{{{', '.join(items)}{_more(value)}}}"
    if isinstance(value, tuple | list):
        opened, closed = "()" if isinstance(value, tuple) else "[]"
        alone = "," if isinstance(value, tuple) and len(value) == 1 else ""
        return f"{opened}{', '.join(map(_told, value[:_MOST]))}{alone}{_more(value)}{closed}"
    if isinstance(value, str | int | float | bool | None):
        return shown(value)
    text = " ".join(repr(value).split())
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _more(values: list | tuple | Mapping) -> str:
    return f", … {len(values) - _MOST} more" if len(values) > _MOST else ""
