"""Options of a checkpoint as they are typed, and as `vitviz.load` takes them; it says what is wrong with one."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import VitvizError
from ..zoo.options import rewrite_options
from .names import mark

LONGEST = 10_000  # letters of a value
_PAIR = re.compile(r"'(\w+)': '?([^',{}()]+|\([^()]*\))")

Typed = str | float | Sequence[str] | None


def options_of(typed: Mapping[str, Typed]) -> dict[str, Any]:
    """Options of `vitviz.load` of what was typed; what was not typed is left out.

    Args:
        typed: texts by the names of the options: of `mean` and `std` numbers with commas, of `arch_kwargs` a list of
            texts such as `"global_pool=avg"`.

    Raises:
        VitvizError: if an argument has no name.
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
    """Parts of file names for what was typed, such as `"mean 0.5"`."""
    given = {name: value for name, value in typed.items() if value not in (None, [], ())}
    alone = ("interpolation", "arch_kwargs")  # whose values say enough
    texts = {name: " ".join(value) if isinstance(value, list | tuple) else str(value) for name, value in given.items()}
    if "classes" in texts:  # which may be a path
        texts["classes"] = mark(texts["classes"])
    return [text if name in alone else f"{name} {text}" for name, text in texts.items()]


def as_typed(advice: str) -> str:
    """Replace options in Python syntax, such as `num_heads=`, by command-line options, such as `--num-heads`."""
    return rewrite_options(advice, _typed)


def _typed(name: str, value: str) -> str:
    option = f"--{name.replace('_', '-')}"
    if value.startswith("{"):  # arguments of timm's create_model
        pairs = (f"{key}={one}" for key, one in _PAIR.findall(value))
        return " ".join(f"{option} {shlex.quote(pair)}" for pair in pairs)
    return f"{option} {value}" if value else option


def _literal(text: str) -> object:
    """The value that a text writes as Python does; the text itself if it does not."""
    try:
        return ast.literal_eval(text) if len(text) < LONGEST else text
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return text
