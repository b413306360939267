"""Selection of the attention weights to show: layer, head, query, direction and colour scale."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np

from ..errors import ArgumentError
from ..errors.arguments import array, checked_index, of_kind, one_of, typed, with_fields_of
from ..model.config import POOL, ViTConfig
from ..trace.trace import Trace
from .queries import Query, as_query, region_label

Direction = Literal["from", "to"]
Scale = Literal["relative", "raw", "uniform"]
TokenLayout = tuple[int, int, int]  # see `token_layout`
DIRECTIONS: tuple[Direction, ...] = get_args(Direction)
SCALES: tuple[Scale, ...] = get_args(Scale)


@dataclass(frozen=True)
class View:
    """Selection of attention weights in a trace.

    The attention of a pooling counts as one more layer, after the last one. It has a single, learned query, so `query`
    and `direction` have no effect there. They are kept for when another layer is selected.

    Attributes:
        layer: layer index, from 0; the number of layers stands for the attention pooling.
        head: head index, from 0; None for the mean over the heads.
        query: index of the pinned token, prefix tokens first; the indices of the patches of a pinned region, whose mean
            row or column is shown; None if nothing is pinned (see `default_token`).
        direction: `"from"` for the tokens that the pinned token attends to (a row of the attention matrix); `"to"` for
            the tokens that attend to it (a column).
        scale: mapping from weights to colours, see `vitviz.viz.colour.tone`.
    """

    layer: int
    head: int | None = 0
    query: Query | None = None
    direction: Direction = "from"
    scale: Scale = "relative"

    def __post_init__(self) -> None:
        of_kind(self.layer, int, "layer")
        of_kind(self.head, int | None, "head")
        of_kind(self.query, Query | None, "query")
        if isinstance(self.query, tuple | list):
            object.__setattr__(self, "query", as_query(self.query))
        one_of(self.direction, DIRECTIONS, "direction")
        one_of(self.scale, SCALES, "scale")

    @classmethod
    def from_dict(cls, data: object) -> View:
        """Create a view from untrusted data that a browser sent.

        Raises:
            ArgumentError: if the data are not the fields of a view.
        """
        data = with_fields_of(cls, data, "A view")
        query = data["query"] if isinstance(data["query"], list) else [data["query"]]
        indices = (data["layer"], *(index for index in (data["head"], *query) if index is not None))
        if not all(type(index) is int for index in indices) or (len(query) > 1 and None in query):
            raise ArgumentError("The layer, head and query of a view must be whole numbers.")
        return cls(**data)

    def fitted(self, trace: Trace) -> View:
        """Adapt the view to a trace.

        Values that the trace does not have become the last layer, the mean over the heads, no pin, and relative scale.
        """
        view = self if 0 <= self.layer < trace.layers or self.is_pool(trace) else replace(self, layer=trace.layers - 1)
        return replace(
            view,
            head=view.head if view.head is not None and 0 <= view.head < view.num_heads(trace) else None,
            query=view.query if view._fits(trace) else None,
            scale=view.scale if view.scale in scales(trace) else "relative",
        )

    def _fits(self, trace: Trace) -> bool:
        """Return True if the trace has the pinned tokens."""
        if isinstance(self.query, tuple):
            return trace.prefix <= self.query[0] and self.query[-1] < trace.token_count
        return self.query is not None and 0 <= self.query < trace.token_count

    def pins_patches(self, prefix: int) -> bool:
        """Return True if a patch or a region is pinned, in a sequence with this number of prefix tokens."""
        return isinstance(self.query, tuple) or (self.query is not None and self.query >= prefix)

    def without_region(self) -> View:
        """Unpin a region, for displays of a single token."""
        return replace(self, query=None) if isinstance(self.query, tuple) else self

    def without_pinned_patch(self, trace: Trace, prefix: int | None = None) -> View:
        """Unpin patches, because their indices stand for other positions on another grid.

        Args:
            trace: the current trace.
            prefix: number of prefix tokens when the token was pinned; that of the current trace if None.
        """
        common = trace.prefix if prefix is None else min(prefix, trace.prefix)
        return replace(self, query=None) if self.pins_patches(common) else self

    def is_pool(self, trace: Trace) -> bool:
        """Return True if the view is of the attention pooling."""
        return has_pool(trace) and self.layer == trace.layers

    def attention_layer(self, trace: Trace) -> int | str:
        """Return the `layer` argument for `Trace.attention`: the layer index, or `"pool"`."""
        return POOL if self.is_pool(trace) else self.layer

    def num_heads(self, trace: Trace) -> int:
        """Return the number of heads of the layer or of the attention pooling."""
        return trace.config.pool_num_heads if self.is_pool(trace) else trace.heads

    def effective_direction(self, trace: Trace) -> Direction:
        """Return the direction that is shown: always `"from"` for the pooling, because no token attends to it."""
        return "from" if self.is_pool(trace) else self.direction

    def num_keys(self, trace: Trace) -> int:
        """Return the number of keys of a query: all tokens, or without the prefix tokens if the pooling skips them."""
        skips_prefix = self.is_pool(trace) and not trace.config.pool_include_prefix
        return trace.token_count - (trace.prefix if skips_prefix else 0)

    def token(self, trace: Trace) -> Query:
        """Return the pinned token or patches, or `default_token` if nothing is pinned."""
        return default_token(trace) if self.query is None else self.query

    def matrix(self, trace: Trace) -> np.ndarray:
        """Return the attention weights of the head, float32 [query, key]; a pooling has one query."""
        if self.head is None:
            return trace.attention(self.attention_layer(trace)).mean(axis=0)
        return trace.attention(self.attention_layer(trace), self.head)

    def weights(self, trace: Trace) -> np.ndarray:
        """Return the selected weights, float32 [token]: a row of the matrix, or a column for direction `"to"`."""
        if self.is_pool(trace):
            return self.matrix(trace)[0]
        token = self.token(trace)
        if self.direction == "to":
            columns = self.matrix(trace)[:, token]
            return columns.mean(axis=1) if isinstance(token, tuple) else columns
        if self.head is None:
            return trace.attention(self.layer, query=token).mean(axis=0)
        return trace.attention(self.layer, self.head, token)

    def direction_label(self, trace: Trace) -> str:
        """Return the direction as text: `"attention from this token"`, `"attention to these patches"`."""
        if self.is_pool(trace):
            return "attention from its learned query (the pinned token has no effect)"
        return f"attention {self.direction} {'these patches' if isinstance(self.query, tuple) else 'this token'}"

    def label(self, trace: Trace) -> str:
        """Return a label such as `"Layer 12, head 4, patch (7, 9)"` or `"Pooling, head 3"`, counted from 1."""
        if self.is_pool(trace):
            return self.head_label(trace)
        return f"{self.head_label(trace)}, {token_label(trace, self.token(trace))}"

    def head_label(self, trace: Trace) -> str:
        """Return a label such as `"Layer 12, head 4"` or `"Pooling, head 3"`, counted from 1."""
        head = "mean of the heads" if self.head is None else f"head {self.head + 1}"
        return f"{'Pooling' if self.is_pool(trace) else f'Layer {self.layer + 1}'}, {head}"


@typed
def has_pool(trace: Trace) -> bool:
    """Return True if the model has attention pooling."""
    return trace.config.pooling == "attention"


@typed
def scales(trace: Trace) -> tuple[Scale, ...]:
    """Return the colour scales that apply: `"uniform"` does not, if weights can be negative."""
    return tuple(scale for scale in SCALES if scale != "uniform" or not trace.config.differential)


@typed
def pooling_note(config: ViTConfig) -> str:
    """Return a sentence on how the output is pooled; empty for the class token, which is the usual case."""
    if config.pooling == "token":
        return ""
    row = " (see the row “pool”)" if config.pooling == "attention" else ""
    sentence = f"he model's output comes from {config.pooling_description}{row}."
    return f"T{sentence}" if config.class_token else f"No class token: t{sentence}"


@typed
def token_layout(trace: Trace) -> TokenLayout:
    """Return the number of prefix tokens and the rows and columns of the grid.

    A token index stands for the same token in two traces with the same layout.
    """
    return trace.prefix, *trace.grid


@typed
def default_token(trace: Trace) -> int:
    """Return the token to show if none is pinned: the class token, or else the patch in the middle."""
    rows, columns = trace.grid
    return 0 if trace.config.class_token else trace.prefix + rows // 2 * columns + columns // 2


@typed
def token_label(trace: Trace, token: Query) -> str:
    """Return the label of a token: `"class token"`, `"register 2"`, `"patch (7, 9)"` (row, column from 1).

    For several patches, see `vitviz.notation.queries.region_label`.
    """
    if isinstance(token, tuple):
        return region_label(token, trace)
    token = checked_index(token, trace.prefix + trace.grid[0] * trace.grid[1], "token")
    if token < trace.prefix:
        return trace.config.prefix_token_names[token]
    row, column = divmod(token - trace.prefix, trace.grid[1])
    return f"patch ({row + 1}, {column + 1})"


@typed
def token_phrase(trace: Trace, token: int) -> str:
    """Return a token as a noun phrase for a sentence: `"the class token"`, `"register 2"`, `"patch (7, 9)"`."""
    return noun_phrase(token_label(trace, token))


@typed
def noun_phrase(label: str) -> str:
    """Return the label of a token with an article if it needs one: labels that end in a number have none."""
    return f"the {label}" if label.endswith("token") else label


@typed
def strongest_patch(trace: Trace, weights: np.ndarray) -> int:
    """Return the token index of the patch with the largest absolute weight.

    Raises:
        ArgumentError: if there is not one weight for each token.
    """
    weights = array(weights, "token", "Weights", finite=False)
    if len(weights) <= trace.prefix:
        raise ArgumentError(f"There are {len(weights)} weights and no patch among them; give one for each token.")
    return trace.prefix + int(np.argmax(np.abs(weights[trace.prefix :])))
