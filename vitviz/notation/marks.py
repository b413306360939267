"""Notation of layers, heads, tokens, classes and sizes in links, in file names and on the command line.

Layers, heads, rows and columns count from 1, as on screen; a class has its index in the model's output, from 0.

| notation             | meaning                                                        |
| -------------------- | -------------------------------------------------------------- |
| `12`, `pool`         | layer 12; the attention pooling                                |
| `4`, `mean`          | head 4; the mean over the heads                                |
| `7-9`                | patch in row 7, column 9                                       |
| `cls`, `dist`, `reg1`| class token, distillation token, first register token          |
| `224`, `96x192`      | input of 224 x 224 pixels; input 96 pixels high and 192 wide   |

The parsers raise a `ValueError` whose message lists the accepted values, to be placed after "it can be".
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
def parse_layer(text: str, config: ViTConfig) -> int:
    """Parse a layer and return its index, as in `vitviz.notation.view.View`: the pooling follows the last layer."""
    if config.pooling != "attention":
        return parse_number(text, config.depth)
    return config.depth if text == POOL else parse_number(text, config.depth, POOL)


@typed
def format_layer(layer: int, config: ViTConfig) -> str:
    """Format a layer index as text for `parse_layer`."""
    return POOL if layer == config.depth and config.pooling == "attention" else str(layer + 1)


@typed
def parse_head(text: str, layer: int, config: ViTConfig) -> int | None:
    """Parse a head of a layer and return its index; None for the mean over the heads."""
    heads = config.num_heads if layer < config.depth else config.pool_num_heads
    return None if text == MEAN else parse_number(text, heads, MEAN)


@typed
def format_head(head: int | None) -> str:
    """Format a head index as text for `parse_head`; None stands for the mean over the heads."""
    return MEAN if head is None else str(head + 1)


@typed
def layer_in_name(mark: str) -> str:
    """Format the text of a layer (see `parse_layer`) for a file name: `"L12"`, `"pool"`."""
    return mark if mark == POOL else f"L{mark}"


@typed
def head_in_name(mark: str) -> str:
    """Format the text of a head (see `parse_head`) for a file name: `"H4"`, `"mean"`."""
    return mark if mark == MEAN else f"H{mark}"


@typed
def parse_class(text: str, count: int) -> int:
    """Parse a class index, from 0 to `count` - 1."""
    at_least(count, 1, "The number of classes")
    if not re.fullmatch(r"0|[1-9][0-9]{0,5}", text) or int(text) >= count:
        raise ValueError(f"a class from 0 to {count - 1}")
    return int(text)


@typed
def parse_token(text: str, trace: Trace) -> int:
    """Parse a token and return its index, prefix tokens first. Capital letters are the same as small ones."""
    text = text.lower()
    tokens = {format_token(token, trace): token for token in range(trace.token_count)}
    if text not in tokens:
        rows, columns = trace.grid
        raise ValueError(join_words([*list(tokens)[: trace.prefix], f"a patch from 1-1 to {rows}-{columns}"]))
    return tokens[text]


@typed
def format_token(token: int, trace: Trace) -> str:
    """Format a token index as text for `parse_token`.

    Raises:
        IndexError: if the index is out of range.
    """
    token = checked_index(token, trace.token_count, "token")
    if token < trace.prefix:
        name = trace.config.prefix_token_names[token]
        return {"class token": "cls", "distillation token": "dist"}.get(name) or name.replace("register ", "reg")
    return format_patch(*divmod(token - trace.prefix, trace.grid[1]))


@typed
def format_patch(row: int, column: int) -> str:
    """Format row and column of a patch, given from 0, such as `"7-9"`."""
    return f"{row + 1}-{column + 1}"


def parse_size(text: str) -> Size:
    """Parse an input size in pixels and return the side of a square, or (height, width)."""
    of_kind(text, str, "text")
    if not re.fullmatch(r"[0-9]{1,5}(x[0-9]{1,5})?", text):
        raise ValueError("a number of pixels, such as 224, or height x width, such as 96x192")
    height, _, width = text.partition("x")
    return int(height) if width in ("", height) else (int(height), int(width))


def format_size(size: Size) -> str:
    """Format an input size as text for `parse_size`."""
    of_kind(size, int | tuple[int, int], "size")
    return "x".join(map(str, size)) if isinstance(size, tuple) else str(size)


@typed
def parse_number(text: str, count: int, otherwise: str = "") -> int:
    """Parse a number from 1 to `count` and return it as an index from 0.

    Args:
        text: text to parse.
        count: largest number.
        otherwise: another value that the caller accepts, for the error message only.
    """
    at_least(count, 1, "The largest number")
    if not re.fullmatch(r"[0-9]{1,6}", text) or not 1 <= int(text) <= count:
        raise ValueError(f"1 to {count}" + (f" or {otherwise}" if otherwise else ""))
    return int(text) - 1


@typed
def one_of(allowed: Iterable[str]) -> Callable[[str], str]:
    """Return a parser that accepts only these values."""
    choices = list(allowed)
    each_of_kind(choices, str, "allowed")

    def parse(text: str) -> str:
        of_kind(text, str, "text")
        if text not in choices:
            raise ValueError(join_words(choices))
        return text

    return parse


@typed
def join_words(words: Iterable[str], last: str = "or") -> str:
    """Join words for a sentence, as in `"a, b or c"`."""
    words = list(words)
    each_of_kind(words, str, "words")
    if not words:
        raise ArgumentError("There are no words to join; give at least one.")
    *most, end = words
    return f"{', '.join(most)} {last} {end}" if most else end


@typed
def capital(text: str) -> str:
    """Return a text with a capital first letter; the others stay as they are."""
    return text[:1].upper() + text[1:]


@typed
def percent(share: float) -> str:
    """Format a fraction as a percentage with three significant digits, at most four decimals.

    Examples: `"14.2 %"`, `"0.380 %"`, `"0.0021 %"`, `"−3.21 %"`.
    """
    value = 100 * share
    if value == 0:
        return "0 %"
    if value < 0:
        return f"−{percent(-share)}" if value <= -1e-4 else "> −0.0001 %"
    if value < 1e-4:
        return "< 0.0001 %"
    decimals = min(4, max(0, 2 - math.floor(math.log10(value)))) if value < 10 else 1
    return f"{value:.{decimals}f} %"
