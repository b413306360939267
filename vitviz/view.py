"""View: which attention is looked at, from where and on which scale; in numbers, in words and in the picture."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Literal, get_args

import numpy as np

from .trace import Trace

Direction = Literal["from", "to"]
Scale = Literal["share", "raw", "uniform"]
DIRECTIONS: tuple[Direction, ...] = get_args(Direction)
SCALES: tuple[Scale, ...] = get_args(Scale)


@dataclass(frozen=True)
class View:
    """One look at a trace.

    Attributes:
        layer: which layer, from 0.
        head: which head, from 0; None for the mean of the layer's heads.
        query: the pinned token, prefix tokens first; None if nothing is pinned, which shows `home`.
        direction: `"from"`: where does the token look (a row of the matrix); `"to"`: who looks at it (a column).
        scale: how weights become colours, see `vitviz.colour.tone`.
    """

    layer: int
    head: int | None = 0
    query: int | None = None
    direction: Direction = "from"
    scale: Scale = "share"

    @classmethod
    def read(cls, data: object) -> View:
        """A view from what a browser sent, which may be anything.

        Raises:
            ValueError: if it is not a view.
        """
        if not isinstance(data, dict) or set(data) != {field.name for field in fields(cls)}:
            raise ValueError("not the parts of a view")
        places = (data["layer"], *(data[name] for name in ("head", "query") if data[name] is not None))
        if not all(type(place) is int for place in places):
            raise ValueError("a place is not a whole number")
        if data["direction"] not in DIRECTIONS or data["scale"] not in SCALES:
            raise ValueError("no such direction or scale")
        return cls(**data)

    def fitted(self, trace: Trace) -> View:
        """The same view with indices that this trace has: last layer, mean head, nothing pinned where it has not."""
        return replace(
            self,
            layer=self.layer if 0 <= self.layer < trace.layers else trace.layers - 1,
            head=self.head if self.head is not None and 0 <= self.head < trace.heads else None,
            query=self.query if self.query is not None and 0 <= self.query < trace.token_count else None,
        )

    def let_go(self, trace: Trace) -> View:
        """The same view without a pinned patch: on another grid the same number would be another place."""
        return self if self.query is None or self.query < trace.prefix else replace(self, query=None)

    def token(self, trace: Trace) -> int:
        """The token that is looked from (or at): the pinned one, else `home`."""
        return home(trace) if self.query is None else self.query

    def matrix(self, trace: Trace) -> np.ndarray:
        """Attention weights of the head, float32 [query, key]."""
        if self.head is None:
            return trace.attention(self.layer).mean(axis=0)
        return trace.attention(self.layer, self.head)

    def weights(self, trace: Trace) -> np.ndarray:
        """The weights of this view, float32 [token]: a row of the matrix, or with direction `"to"` a column."""
        token = self.token(trace)
        if self.direction == "to":
            return self.matrix(trace)[:, token]
        if self.head is None:
            return trace.attention(self.layer, query=token).mean(axis=0)
        return trace.attention(self.layer, self.head, token)

    def question(self) -> str:
        """What is asked about the token: `"where it looks"` or `"who looks at it"`."""
        return "where it looks" if self.direction == "from" else "who looks at it"

    def words(self, trace: Trace) -> str:
        """Such as `"Layer 12, head 4, patch (7, 9)"`; everything is counted from 1."""
        return f"{self.head_words()}, {token_words(trace, self.token(trace))}"

    def head_words(self) -> str:
        """Such as `"Layer 12, head 4"`; counted from 1."""
        head = "mean of the heads" if self.head is None else f"head {self.head + 1}"
        return f"Layer {self.layer + 1}, {head}"


def home(trace: Trace) -> int:
    """The token that is shown when none is pinned: the class token, or the patch in the middle."""
    rows, columns = trace.grid
    return 0 if trace.config.class_token else trace.prefix + rows // 2 * columns + columns // 2


def token_words(trace: Trace, token: int) -> str:
    """What a token is called on screen: `"class token"`, `"register 2"`, `"patch (7, 9)"` (row, column from 1)."""
    if token < trace.prefix:
        return trace.config.prefix_names[token]
    row, column = divmod(token - trace.prefix, trace.grid[1])
    return f"patch ({row + 1}, {column + 1})"


def strongest_patch(trace: Trace, weights: np.ndarray) -> int:
    """The patch with the largest weight, as a token index."""
    return trace.prefix + int(np.argmax(weights[trace.prefix :]))
