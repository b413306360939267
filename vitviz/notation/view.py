"""View: which attention is looked at, from where and on which scale; in numbers, in words and in the picture."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np

from ..errors import ArgumentError
from ..errors.arguments import array, checked_index, of_kind, one_of, typed, with_fields_of
from ..model.config import POOL, ViTConfig
from ..trace.trace import Trace

Direction = Literal["from", "to"]
Scale = Literal["relative", "raw", "uniform"]
Places = tuple[int, int, int]  # see `places`
DIRECTIONS: tuple[Direction, ...] = get_args(Direction)
SCALES: tuple[Scale, ...] = get_args(Scale)


@dataclass(frozen=True)
class View:
    """One look at a trace.

    The attention of a pooling is looked at like one more layer, which comes after the others. It has one query, its
    own: the pinned token and the direction are kept for when another layer is chosen, and do not matter meanwhile.

    Attributes:
        layer: which layer, from 0; the number of layers stands for the pooling, if that has attention.
        head: which head, from 0; None for the mean of the layer's heads.
        query: the pinned token, prefix tokens first; None if nothing is pinned, which shows `home`.
        direction: `"from"`: where does the token look (a row of the matrix); `"to"`: who looks at it (a column).
        scale: how weights become colours, see `vitviz.viz.colour.tone`.
    """

    layer: int
    head: int | None = 0
    query: int | None = None
    direction: Direction = "from"
    scale: Scale = "relative"

    def __post_init__(self) -> None:
        of_kind(self.layer, int, "layer")
        of_kind(self.head, int | None, "head")
        of_kind(self.query, int | None, "query")
        one_of(self.direction, DIRECTIONS, "direction")
        one_of(self.scale, SCALES, "scale")

    @classmethod
    def read(cls, data: object) -> View:
        """A view from what a browser sent, which may be anything.

        Raises:
            ArgumentError: if it is not a view.
        """
        data = with_fields_of(cls, data, "A view")
        places = (data["layer"], *(data[name] for name in ("head", "query") if data[name] is not None))
        if not all(type(place) is int for place in places):
            raise ArgumentError("A place in a view is a whole number; this has something else.")
        return cls(**data)

    def fitted(self, trace: Trace) -> View:
        """The same view with what this trace has: last layer, mean head, nothing pinned, share where it has not."""
        view = self if 0 <= self.layer < trace.layers or self.is_pool(trace) else replace(self, layer=trace.layers - 1)
        return replace(
            view,
            head=view.head if view.head is not None and 0 <= view.head < view.heads(trace) else None,
            query=view.query if view.query is not None and 0 <= view.query < trace.token_count else None,
            scale=view.scale if view.scale in scales(trace) else "relative",
        )

    def let_go(self, trace: Trace, prefix: int | None = None) -> View:
        """The same view without a pinned patch: on another grid the same number would be another place.

        Args:
            trace: what is looked at now.
            prefix: how many tokens stood before the patches when the view was chosen; as many as now if None.
        """
        kept = trace.prefix if prefix is None else min(prefix, trace.prefix)
        return self if self.query is None or self.query < kept else replace(self, query=None)

    def is_pool(self, trace: Trace) -> bool:
        """Whether this is the attention of the pooling, and not of a layer."""
        return has_pool(trace) and self.layer == trace.layers

    def place(self, trace: Trace) -> int | str:
        """What `Trace.attention` calls this view's layer: its number, or `"pool"`."""
        return POOL if self.is_pool(trace) else self.layer

    def heads(self, trace: Trace) -> int:
        """How many heads there are to choose from: the layer's, or the pooling's."""
        return trace.config.pool_num_heads if self.is_pool(trace) else trace.heads

    def facing(self, trace: Trace) -> Direction:
        """The direction that is shown: a pooling only looks, for nobody looks at it."""
        return "from" if self.is_pool(trace) else self.direction

    def reads(self, trace: Trace) -> int:
        """How many tokens a row is spread over: all, unless a pooling leaves out those before the patches."""
        left_out = self.is_pool(trace) and not trace.config.pool_include_prefix
        return trace.token_count - (trace.prefix if left_out else 0)

    def token(self, trace: Trace) -> int:
        """The token that is looked from (or at): the pinned one, else `home`."""
        return home(trace) if self.query is None else self.query

    def matrix(self, trace: Trace) -> np.ndarray:
        """Attention weights of the head, float32 [query, key]; a pooling has one query."""
        if self.head is None:
            return trace.attention(self.place(trace)).mean(axis=0)
        return trace.attention(self.place(trace), self.head)

    def weights(self, trace: Trace) -> np.ndarray:
        """The weights of this view, float32 [token]: a row of the matrix, or with direction `"to"` a column."""
        if self.is_pool(trace):
            return self.matrix(trace)[0]
        token = self.token(trace)
        if self.direction == "to":
            return self.matrix(trace)[:, token]
        if self.head is None:
            return trace.attention(self.layer, query=token).mean(axis=0)
        return trace.attention(self.layer, self.head, token)

    def question(self, trace: Trace) -> str:
        """What is asked about the token: `"where it looks"` or `"who looks at it"`."""
        if self.is_pool(trace):
            return "where it looks with its own query, whatever is pinned"
        return "where it looks" if self.direction == "from" else "who looks at it"

    def words(self, trace: Trace) -> str:
        """Such as `"Layer 12, head 4, patch (7, 9)"` or `"Pooling, head 3"`; everything is counted from 1."""
        if self.is_pool(trace):
            return self.head_words(trace)
        return f"{self.head_words(trace)}, {token_words(trace, self.token(trace))}"

    def head_words(self, trace: Trace) -> str:
        """Such as `"Layer 12, head 4"` or `"Pooling, head 3"`; counted from 1."""
        head = "mean of the heads" if self.head is None else f"head {self.head + 1}"
        return f"{'Pooling' if self.is_pool(trace) else f'Layer {self.layer + 1}'}, {head}"


@typed
def has_pool(trace: Trace) -> bool:
    """Whether the model's pooling has attention that can be looked at."""
    return trace.config.pooling == "attention"


@typed
def scales(trace: Trace) -> tuple[Scale, ...]:
    """The scales that mean something for a trace's weights: a negative one is no multiple of an even share."""
    return tuple(scale for scale in SCALES if scale != "uniform" or not trace.config.differential)


@typed
def readout_words(config: ViTConfig) -> str:
    """What the model's output comes from, in one sentence; empty if that is the class token, as in ViT."""
    if config.pooling == "token":
        return ""
    where = " (see the row “pool”)" if config.pooling == "attention" else ""
    output = f"he model's output comes from {config.pooling_description}{where}."
    return f"T{output}" if config.class_token else f"No class token: t{output}"


@typed
def places(trace: Trace) -> Places:
    """Prefix tokens, rows and columns: a token's number means the same in two traces if these are the same."""
    return trace.prefix, *trace.grid


@typed
def home(trace: Trace) -> int:
    """The token that is shown when none is pinned: the class token, or the patch in the middle."""
    rows, columns = trace.grid
    return 0 if trace.config.class_token else trace.prefix + rows // 2 * columns + columns // 2


@typed
def token_words(trace: Trace, token: int) -> str:
    """What a token is called on screen: `"class token"`, `"register 2"`, `"patch (7, 9)"` (row, column from 1)."""
    token = checked_index(token, trace.prefix + trace.grid[0] * trace.grid[1], "token")
    if token < trace.prefix:
        return trace.config.prefix_token_names[token]
    row, column = divmod(token - trace.prefix, trace.grid[1])
    return f"patch ({row + 1}, {column + 1})"


@typed
def strongest_patch(trace: Trace, weights: np.ndarray) -> int:
    """The patch with the largest weight, as a token index; where weights have signs, with the largest in size.

    Raises:
        ArgumentError: if these are not the weights of the trace's tokens.
    """
    weights = array(weights, "token", "Weights", finite=False)
    if len(weights) <= trace.prefix:
        raise ArgumentError(f"{len(weights)} weights are none of patches; give one for each token.")
    return trace.prefix + int(np.argmax(np.abs(weights[trace.prefix :])))
