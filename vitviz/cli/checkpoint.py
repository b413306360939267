"""Checkpoint options, converted from the command line to `vitviz.load` and back for messages."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import VitvizError
from ..zoo.options import rewrite_options
from .names import mark

MAX_LENGTH = 10_000  # characters of a value
_PAIR = re.compile(r"'(\w+)': '?([^',{}()]+|\([^()]*\))")

Typed = str | float | Sequence[str] | None


def options_of(typed: Mapping[str, Typed]) -> dict[str, Any]:
    """Convert command line options to options of `vitviz.load`; options that are not set are omitted.

    Args:
        typed: text by option name: comma-separated numbers for `mean` and `std`, a list such as
            `["global_pool=avg"]` for `arch_kwargs`.

    Raises:
        VitvizError: if an item of `arch_kwargs` has no name.
    """
    given = {name: value for name, value in typed.items() if value not in (None, [], ())}
    for name in {"mean", "std"} & given.keys():
        given[name] = [_literal(text) for text in given[name].replace(",", " ").split()]
    if "arch_kwargs" in given:
        nameless = next((text for text in given["arch_kwargs"] if not text.partition("=")[0].isidentifier()), None)
        if nameless is not None:
            raise VitvizError(f"--arch-kwargs {nameless[:60]!r} has no name; write it as NAME=VALUE.")
        parts = (text.partition("=") for text in given["arch_kwargs"])
        given["arch_kwargs"] = {key: _literal(value) for key, _, value in parts}
    return given


def marks_of(typed: Mapping[str, Typed]) -> list[str]:
    """Return parts of file names for the options that are set, such as `"mean 0.5"`."""
    given = {name: value for name, value in typed.items() if value not in (None, [], ())}
    alone = ("interpolation", "arch_kwargs")  # their values are unambiguous without the name
    texts = {name: " ".join(value) if isinstance(value, list | tuple) else str(value) for name, value in given.items()}
    if "classes" in texts:  # may be a path
        texts["classes"] = mark(texts["classes"])
    return [text if name in alone else f"{name} {text}" for name, text in texts.items()]


def as_typed(advice: str) -> str:
    """Rewrite Python options in a message, such as `num_heads=`, as command line options, `--num-heads`."""
    return rewrite_options(advice, _typed)


def _typed(name: str, value: str) -> str:
    option = f"--{name.replace('_', '-')}"
    if value.startswith("{"):  # arguments of timm's create_model
        pairs = (f"{key}={one}" for key, one in _PAIR.findall(value))
        return " ".join(f"{option} {shlex.quote(pair)}" for pair in pairs)
    return f"{option} {value}" if value else option


def _literal(text: str) -> object:
    """Return the value of a Python literal; the text itself if it is not one."""
    try:
        return ast.literal_eval(text) if len(text) < MAX_LENGTH else text
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return text
