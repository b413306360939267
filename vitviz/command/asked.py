"""What people type, understood: layers, heads and tokens, counted from 1 as on screen and in links."""

from __future__ import annotations

import re

from ..config import POOL, ViTConfig
from ..errors import VitvizError
from ..trace import Trace

MEAN = "mean"
MARKS = {"class token": "cls", "distillation token": "dist"}


def layer_of(text: str | None, config: ViTConfig) -> int:
    """A layer from 0, as `vitviz.view.View` counts it: the last one if nothing is asked for.

    Raises:
        VitvizError: if the model does not have it.
    """
    if text is None:
        return config.depth - 1
    if text == POOL and config.pooling == "attention":
        return config.depth
    return _counted(text, config.depth, "layer", POOL if config.pooling == "attention" else "")


def head_of(text: str, layer: int, config: ViTConfig) -> int | None:
    """A head from 0; None for the mean of the layer's.

    Raises:
        VitvizError: if the layer does not have it.
    """
    heads = config.heads if layer < config.depth else config.pool_heads
    return None if text == MEAN else _counted(text, heads, "head", MEAN)


def token_of(text: str | None, trace: Trace) -> int | None:
    """A token as the model counts it: `"cls"`, `"reg2"`, or row and column of a patch, `"7-9"`. None for None.

    Raises:
        VitvizError: if this image, as this model sees it, does not have it.
    """
    if text is None:
        return None
    names = [MARKS.get(name) or name.replace("register ", "reg") for name in trace.config.prefix_names]
    if text in names:
        return names.index(text)
    rows, columns = trace.grid
    found = re.fullmatch(r"([0-9]{1,5})-([0-9]{1,5})", text)
    row, column = map(int, found.groups()) if found else (0, 0)
    if not (1 <= row <= rows and 1 <= column <= columns):
        raise VitvizError(f"There is no token {text!r}; it can be {_listed([*names, f'1-1 to {rows}-{columns}'])}.")
    return trace.prefix + (row - 1) * columns + column - 1


def class_of(text: str, labels: tuple[str, ...], count: int) -> int:
    """A class from 0: by its name, whatever the case; else by its number, from 0 as the model's outputs are counted.

    Raises:
        VitvizError: if there is no such class, or several have this name.
    """
    named = [index for index, label in enumerate(labels) if label.casefold() == text.casefold()]
    if len(named) > 1:
        raise VitvizError(f"{len(named)} classes are called {text!r}; give one's number: {_listed(map(str, named))}.")
    if named:
        return named[0]
    if re.fullmatch(r"[0-9]{1,7}", text) and int(text) < count:
        return int(text)
    raise VitvizError(f"There is no class {text!r}; give a name or a number from 0 to {count - 1}.")


def _counted(text: str, count: int, what: str, otherwise: str) -> int:
    if re.fullmatch(r"[0-9]{1,6}", text) and 1 <= int(text) <= count:
        return int(text) - 1
    raise VitvizError(
        f"There is no {what} {text!r}; it can be {_listed([f'1 to {count}', *filter(None, [otherwise])])}."
    )


def _listed(words) -> str:
    *most, last = words
    return f"{', '.join(most)} or {last}" if most else last
