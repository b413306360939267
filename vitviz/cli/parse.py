"""Parsers of layers, heads and tokens on the command line; the notation is that of links."""

from __future__ import annotations

from collections.abc import Callable

from ..errors import VitvizError
from ..model.config import ViTConfig
from ..notation import marks, queries
from ..notation.queries import Query
from ..trace.trace import Trace


def parse_layer(text: str | None, config: ViTConfig) -> int:
    """Parse a layer. Returns its index from 0, as in `vitviz.notation.view.View`; the last layer for None.

    Raises:
        VitvizError: if the model has no such layer.
    """
    return config.depth - 1 if text is None else _parse("layer", text, marks.parse_layer, config)


def parse_head(text: str, layer: int, config: ViTConfig) -> int | None:
    """Parse a head. Returns its index from 0; None for the mean of the layer's heads.

    Raises:
        VitvizError: if the layer has no such head.
    """
    return _parse("head", text, marks.parse_head, layer, config)


def parse_one_head(text: str, config: ViTConfig) -> int:
    """Parse a head of a layer, without the mean of the heads. Returns its index from 0.

    Raises:
        VitvizError: if the model has no such head.
    """
    return _parse("head", text, marks.parse_number, config.num_heads)


def parse_query(text: str | None, trace: Trace) -> Query | None:
    """Parse a token, `"cls"`, `"reg2"` or `"7-9"`, or patches, `"2..4-3..6"`; see `vitviz.notation.queries`.

    Returns:
        Index of the token, or indices of the patches; None for None.

    Raises:
        VitvizError: if the trace has no such token.
    """
    return None if text is None else _parse("token", text, queries.parse_query, trace)


def _parse(kind: str, text: str, parser: Callable, *arguments: object) -> Query | None:
    try:
        return parser(text, *arguments)
    except ValueError as error:
        raise VitvizError(f"There is no {kind} {text!r}; use {error}.") from error
