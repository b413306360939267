"""Layers, heads, tokens, classes and sizes as they are written in links, in file names and on the command line.

Layers, heads, rows and columns count from 1, as on screen; a class has the index that the model gives it, from 0.

`pool` is the attention of a pooling, `mean` the mean of a layer's heads; a patch is `row-column`; `cls`, `dist` and
`reg1` are the class token, the distillation token and the first register; `224` is a square of so many pixels, `96x192`
an input that is 96 high and 192 wide. What cannot be understood raises a
`ValueError` with what it could have been, to be put behind "it can be".
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable

from ..errors import ArgumentError
from ..errors.arguments import at_least, checked_index, each_of_kind, of_kind, typed
from ..images import Size
from ..model.config import POOL, ViTConfig
from ..trace.trace import Trace

MEAN = "mean"


@typed
def layer_of(text: str, config: ViTConfig) -> int:
    """A layer from 0, as `vitviz.notation.view.View` counts it: the pooling comes after the last."""
    if config.pooling != "attention":
        return counted(text, config.depth)
    return config.depth if text == POOL else counted(text, config.depth, POOL)


@typed
def layer_mark(layer: int, config: ViTConfig) -> str:
    """Description of the texts that `layer_of` understands."""
    return POOL if layer == config.depth and config.pooling == "attention" else str(layer + 1)


@typed
def head_of(text: str, layer: int, config: ViTConfig) -> int | None:
    """A head of a layer from 0; None for the mean of them."""
    heads = config.heads if layer < config.depth else config.pool_heads
    return None if text == MEAN else counted(text, heads, MEAN)


@typed
def head_mark(head: int | None) -> str:
    """Description of the texts that `head_of` understands."""
    return MEAN if head is None else str(head + 1)


@typed
def layer_in_name(mark: str) -> str:
    """A layer, as `layer_of` understands it, as a part of a file name: `"L12"`, `"pool"`."""
    return mark if mark == POOL else f"L{mark}"


@typed
def head_in_name(mark: str) -> str:
    """A head, as `head_of` understands it, as a part of a file name: `"H4"`, `"mean"`."""
    return mark if mark == MEAN else f"H{mark}"


@typed
def class_of(text: str, count: int) -> int:
    """A class, by the index that the model gives it, from 0."""
    at_least(count, 1, "The number of classes")
    if not re.fullmatch(r"0|[1-9][0-9]{0,5}", text) or int(text) >= count:
        raise ValueError(f"a class from 0 to {count - 1}")
    return int(text)


@typed
def token_of(text: str, trace: Trace) -> int:
    """A token as the model counts it, the ones before the patches first."""
    marks = {token_mark(token, trace): token for token in range(trace.token_count)}
    if text not in marks:
        rows, columns = trace.grid
        raise ValueError(listed([*list(marks)[: trace.prefix], f"a patch from 1-1 to {rows}-{columns}"]))
    return marks[text]


@typed
def token_mark(token: int, trace: Trace) -> str:
    """Description of the texts that `token_of` understands.

    Raises:
        IndexError: if there is no such token.
    """
    token = checked_index(token, trace.token_count, "token")
    if token < trace.prefix:
        name = trace.config.prefix_names[token]
        return {"class token": "cls", "distillation token": "dist"}.get(name) or name.replace("register ", "reg")
    return patch_mark(*divmod(token - trace.prefix, trace.grid[1]))


@typed
def patch_mark(row: int, column: int) -> str:
    """A patch by its row and column, which are given from 0."""
    return f"{row + 1}-{column + 1}"


def size_of(text: str) -> Size:
    """An input size in pixels: the side of a square, or (height, width)."""
    of_kind(text, str, "text")
    if not re.fullmatch(r"[0-9]{1,5}(x[0-9]{1,5})?", text):
        raise ValueError("a number of pixels, such as 224, or height x width, such as 96x192")
    height, _, width = text.partition("x")
    return int(height) if width in ("", height) else (int(height), int(width))


def size_mark(size: Size) -> str:
    """Description of the texts that `size_of` understands."""
    of_kind(size, int | tuple[int, int], "size")
    return "x".join(map(str, size)) if isinstance(size, tuple) else str(size)


@typed
def counted(text: str, count: int, otherwise: str = "") -> int:
    """What a number from 1 to `count` counts, from 0; `otherwise` is a word that the caller understands."""
    at_least(count, 1, "The largest number")
    if not re.fullmatch(r"[0-9]{1,6}", text) or not 1 <= int(text) <= count:
        raise ValueError(f"1 to {count}" + (f" or {otherwise}" if otherwise else ""))
    return int(text) - 1


@typed
def one_of(allowed: Iterable[str]) -> Callable[[str], str]:
    """What understands one of these words."""
    words = list(allowed)
    each_of_kind(words, str, "allowed")

    def understand(text: str) -> str:
        of_kind(text, str, "text")
        if text not in words:
            raise ValueError(listed(words))
        return text

    return understand


@typed
def listed(words: Iterable[str], last: str = "or") -> str:
    """`"a, b or c"`."""
    words = list(words)
    each_of_kind(words, str, "words")
    if not words:
        raise ArgumentError("There are no words to list; give at least one.")
    *most, end = words
    return f"{', '.join(most)} {last} {end}" if most else end


@typed
def percent(share: float) -> str:
    """A share in words, with three digits that matter: `"14.2 %"`, `"0.380 %"`, `"0.0021 %"`, `"−3.21 %"`."""
    value = 100 * share
    if value == 0:
        return "0 %"
    if value < 0:
        return f"−{percent(-share)}" if value <= -1e-4 else "> −0.0001 %"
    if value < 1e-4:
        return "< 0.0001 %"
    decimals = min(4, max(0, 2 - math.floor(math.log10(value)))) if value < 10 else 1
    return f"{value:.{decimals}f} %"
