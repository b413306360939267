"""Trace: frozen record of one forward pass, with attention computed on demand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..errors import ArgumentError, HookError
from ..errors.arguments import array, checked_index, each_of_kind, is_list, of_kind, shown
from ..images import Prepared, normalise
from ..model.applied_edits import Applied, apply
from ..model.config import POOL, ViTConfig
from ..model.edits import ActivationPatch, Edit
from ..model.hooks import capture, edit, without_hooks
from ..model.precision import check_numbers, plain_arithmetic
from ..model.vit import ViT
from .displays import Displays
from .trace_contents import arrays_and_json
from .trace_file import write_trace_file


@dataclass(frozen=True, eq=False)
class Trace(Displays):
    """Record of one forward pass of one image: frozen, on the CPU, without gradients, safe to share between threads.

    A trace stores queries and keys (tokens x D numbers per layer) rather than attention matrices (tokens x tokens per
    head), and computes attention weights from them on demand. Indices count from 0 and may be negative. Tokens are
    ordered as in the model: the `prefix` tokens (class token, registers), then the patches row by row.

    Attributes:
        model: model that made the trace; shared, never changed.
        grid: rows and columns of patches.
        image: input pixels and their geometry on the original image; None if a tensor was given.
        output: logits [class], or without a classifier the feature [D].
        edits: edits of this pass (`vitviz.model.edits`); all activations of the trace are those of the edited pass.
    """

    model: ViT
    grid: tuple[int, int]
    image: Prepared | None
    output: np.ndarray
    _input: Tensor | None = field(repr=False)  # only if there is no image to compute it from
    _queries: tuple[Tensor, ...] = field(repr=False)  # per layer, [head, token, channel]
    _keys: tuple[Tensor, ...] = field(repr=False)
    _pool_keys: Tensor | None = field(repr=False)  # of the attention pooling, [head, token, channel]
    _recorded: Mapping[str, np.ndarray] = field(repr=False)
    _edited: bool = field(default=False, repr=False)  # made in an `edit` block, which cannot be repeated
    edits: tuple[Edit, ...] = ()

    @property
    def config(self) -> ViTConfig:
        """Configuration of the model."""
        return self.model.config

    @property
    def layers(self) -> int:
        """Number of layers, attention pooling not included."""
        return len(self._queries)

    @property
    def heads(self) -> int:
        """Number of attention heads of a layer."""
        return self._queries[0].shape[0]

    @property
    def prefix(self) -> int:
        """Number of prefix tokens."""
        return self.config.num_prefix_tokens

    @property
    def token_count(self) -> int:
        """Number of tokens, prefix tokens included."""
        return self.prefix + self.grid[0] * self.grid[1]

    @property
    def edited(self) -> bool:
        """True if the trace was made in an `edit` block, so that a second pass would differ."""
        return self._edited

    @property
    def nbytes(self) -> int:
        """Memory of this trace in bytes, without the model."""
        tensors = [t for t in (*self._queries, *self._keys, self._pool_keys, self._input) if t is not None]
        arrays = [self.output, *self._recorded.values()] + ([] if self.image is None else [self.image.pixels])
        arrays += [edit.values for edit in self.edits if isinstance(edit, ActivationPatch)]
        return sum(t.untyped_storage().nbytes() for t in tensors) + sum(a.nbytes for a in arrays)

    def queries(self, layer: int) -> np.ndarray:
        """Return the queries of a layer after norm and RoPE (unscaled), float32 [head, token, channel]; read-only."""
        return _frozen(self._queries[self._layer(layer)])

    def keys(self, layer: int) -> np.ndarray:
        """Return the keys of a layer after norm and RoPE, float32 [head, token, channel]; read-only."""
        return _frozen(self._keys[self._layer(layer)])

    @plain_arithmetic()
    def attention(
        self, layer: int | str, head: int | None = None, query: int | Sequence[int] | None = None
    ) -> np.ndarray:
        """Compute attention weights, softmax(q k^T / sqrt(d)) ("Attention Is All You Need", section 3.2.1).

        Relative position biases and the edits of the trace are included. For differential attention these are the
        effective weights, the difference of two softmaxes: they can be negative, and rows sum to 1 - lambda.

        If all weights are needed, they can be recorded in the forward pass with `record="blocks.*.attn.weights"`, at
        the cost of memory for all matrices. The result is then read-only.

        Args:
            layer: layer index; or `"pool"` for the attention pooling, which has a single, learned query. Tokens that
                the pooling does not read get weight 0.
            head: head index; None for all heads.
            query: index of the query token; indices of several for their mean row; None for all. With a single query no
                matrix is built.

        Returns:
            Weights, float32 [head, query, key], without the axes for which an index was given. Except for differential
            attention, weights are between 0 and 1 and every row sums to 1.

        Raises:
            IndexError: if an index is out of range.
        """
        if is_list(query):
            return self._mean_row(layer, head, query)
        if _is_pool(layer):
            weights = self._pool_attention()
            query = None if query is None else checked_index(query, 1, "query of the pooling")
            weights = weights if query is None else weights[:, query]
            return weights if head is None else weights[checked_index(head, len(weights), "head")]
        layer = self._layer(layer)
        heads = slice(None) if head is None else slice(self.head_index(head), self.head_index(head) + 1)
        queries = slice(None) if query is None else slice(self.token_index(query), self.token_index(query) + 1)
        recorded = self._recorded.get(f"blocks.{layer}.attn.weights")
        if recorded is not None:
            weights = recorded[heads, queries]
        else:
            with torch.no_grad():
                weights = self._weights(layer, heads, queries).numpy()  # head query key
        if query is not None:
            weights = weights[:, 0]
        return weights if head is None else weights[0]

    @plain_arithmetic()
    def attention_rows(self, layer: int, queries: Sequence[int]) -> np.ndarray:
        """Compute the attention weights of some query tokens together, without building the matrix.

        Args:
            layer: layer index.
            queries: indices of the query tokens.

        Returns:
            Weights, float32 [head, query, key], as `attention(layer)[:, queries]`.

        Raises:
            IndexError: if an index is out of range.
            ArgumentError: if the queries are not a list of indices.
        """
        layer = self._layer(layer)
        tokens = [self.token_index(token) for token in array(queries, "query", "The argument 'queries'")]
        recorded = self._recorded.get(f"blocks.{layer}.attn.weights")
        if recorded is not None:
            return recorded[:, tokens]
        with torch.no_grad():
            return self._weights(layer, slice(None), tokens).numpy()

    def row_sum(self, layer: int | str) -> float:
        """Return the sum of each row of attention weights: 1, or 1 - lambda for differential attention.

        Raises:
            IndexError: if the layer is out of range.
        """
        if _is_pool(layer):
            return 1.0
        layer = self._layer(layer)
        return 1 - float(self.model.blocks[layer].attn.lam) if self.config.differential else 1.0

    @plain_arithmetic()
    def scores(
        self, layer: int, head: int | None = None, query: int | None = None, key: int | None = None
    ) -> np.ndarray:
        """Compute attention scores before the softmax: q k^T / sqrt(d) plus relative position bias; -inf if masked.

        Args:
            layer: layer index.
            head: head index; None for all heads.
            query: index of the query token; None for all.
            key: index of the key token; None for all.

        Returns:
            Scores, float32 [head, query, key], or [head, 2, query, key] for differential attention, which has two
            softmaxes; without the axes for which an index was given.

        Raises:
            IndexError: if an index is out of range.
        """
        layer = self._layer(layer)
        chosen = [
            None if index is None else check(index)
            for index, check in ((head, self.head_index), (query, self.token_index), (key, self.token_index))
        ]
        heads, queries, keys = (slice(None) if at is None else slice(at, at + 1) for at in chosen)
        with torch.no_grad():
            scores = self._scores(layer, heads, queries, keys).numpy()
        axes = [0, scores.ndim - 2, scores.ndim - 1]
        return scores.squeeze(tuple(axis for axis, at in zip(axes, chosen, strict=True) if at is not None))

    def heatmap(self, layer: int | str, head: int | None = None, query: int | Sequence[int] = 0) -> np.ndarray:
        """Return the attention from query tokens to the patches, as a map.

        Args:
            layer: layer index, or `"pool"`.
            head: head index; None for all heads.
            query: index of the query token; 0 is the class token, if the model has one (and the pooling's only query).
                Indices of several for their mean.

        Returns:
            Weights, float32 [rows, columns] or [head, rows, columns]; their sum is that of the row without the prefix
            tokens.

        Raises:
            IndexError: if an index is out of range.
        """
        weights = self.attention(layer, head, query)[..., self.prefix :]
        return weights.reshape(*weights.shape[:-1], *self.grid)

    def tokens(self, layer: int) -> np.ndarray:
        """Return the residual stream after a block, float32 [token, D]; read-only.

        Raises:
            IndexError: if the layer is out of range.
        """
        return self.activation(f"blocks.{self._layer(layer)}.resid_post")

    def activation(self, name: str) -> np.ndarray:
        """Return the activation at a hook point (see `vitviz.model.hooks`), without batch axis; read-only.

        An activation that was not recorded is computed by another forward pass.

        Raises:
            HookError: if the hook point does not exist, or if it was not recorded and the trace was made in an `edit`
                block, so that a second pass would differ.
        """
        return self.activations(name)[name]

    def activations(self, *names: str) -> dict[str, np.ndarray]:
        """Return activations by hook point, with one forward pass for all that were not recorded; see `activation`."""
        each_of_kind(names, str, "names")
        missing = [name for name in names if name not in self._recorded]
        if missing and self._edited:
            raise HookError(
                f"{shown(missing[0])} was not recorded, and this trace was made in an edit block; trace again with "
                f"record={shown(missing[0])}."
            )
        activations = {name: self._recorded[name] for name in names if name in self._recorded}
        if missing:
            check_numbers(self.model)
            with (
                plain_arithmetic(),
                without_hooks(),
                torch.no_grad(),
                _editing(self._applied),
                capture(*missing) as new,
            ):
                self.model(self._pixels()[None])
            for name in missing:
                if name not in new:
                    raise HookError(f"{shown(name)} matches several hook points; give the name of each.")
                activations[name] = _frozen(new[name][0])
        return activations

    def with_recorded(self, activations: Mapping[str, np.ndarray]) -> Trace:
        """Return a copy of the trace that holds these activations (from `activations`) as recorded.

        Raises:
            ArgumentError: if they are not a dictionary from hook point name to array.
        """
        of_kind(activations, Mapping[str, np.ndarray], "activations")
        each_of_kind(activations, str, "activations")
        arrays = {
            name: array(values, "...", f"The activations of {shown(name)}", finite=False)
            for name, values in activations.items()
        }
        return replace(self, _recorded={**self._recorded, **arrays})

    def rerun(self, *, edits: Sequence[Edit] = (), record: tuple[str, ...] = ()) -> Trace:
        """Trace the same image with the same model again, with these edits instead of those of this trace.

        Raises:
            HookError: if `record` names a hook point that does not exist.
            EditError: if an edit does not fit the model.
        """
        return self.model.trace(self.model_input, record=record, edits=edits)

    @property
    def model_input(self) -> Prepared | Tensor:
        """Input of the model, in a form that `trace` accepts."""
        return self._input if self.image is None else self.image

    def save(self, path: str | Path) -> None:
        """Write the trace to a file, without the model; read it with `vitviz.open_trace`.

        The file is in the safetensors format and about as large as `nbytes`. (`pickle` would include the whole model.)

        Args:
            path: path of the file, such as `"cat.trace"`; an existing file is replaced.

        Raises:
            TraceError: if the file cannot be written.
        """
        of_kind(path, str | Path, "path")
        write_trace_file(Path(path), *arrays_and_json(self))

    def __repr__(self) -> str:
        shape = f"{self.grid[0]} x {self.grid[1]} patches, {self.layers} layers, {self.heads} heads"
        return f"Trace({self.model.name!r}: {shape}, output {list(self.output.shape)}, {len(self.edits)} edits)"

    def pixels(self) -> np.ndarray:
        """Return the input of the model: normalised pixels, float32 [channel, H, W]; read-only."""
        return _frozen(self._pixels())

    def token_index(self, token: int) -> int:
        """Check a token index and convert a negative one to one that counts from 0."""
        return checked_index(token, self.token_count, "token")

    def head_index(self, head: int) -> int:
        """Check a head index and convert a negative one to one that counts from 0."""
        return checked_index(head, self.heads, "head")

    def _mean_row(self, layer: int | str, head: int | None, queries: Sequence[int]) -> np.ndarray:
        each_of_kind(queries, int, "query")
        if not len(queries):
            raise ArgumentError("The argument 'query' is empty; give at least one token.")
        weights = self.attention(layer, head)
        tokens = [checked_index(token, weights.shape[-2], "query") for token in queries]
        return weights[..., tokens, :].mean(axis=-2)

    @property
    def _applied(self) -> Applied:
        return apply(self.edits, self.config, self.grid)

    def _layer(self, layer: int) -> int:
        return checked_index(layer, self.layers, "layer")

    def _weights(self, layer: int, heads: slice, queries: slice | list[int]) -> Tensor:
        attn, keys = self.model.blocks[layer].attn, slice(None)
        if self._applied.changes_scores(layer):
            return attn.weigh(self._scores(layer, heads, queries, keys))
        return attn.weights_of(*self._inputs(layer, heads, queries, keys))

    def _scores(self, layer: int, heads: slice, queries: slice | list[int], keys: slice) -> Tensor:
        scores = self.model.blocks[layer].attn.score(*self._inputs(layer, heads, queries, keys))
        return self._applied.scores(scores, layer, heads, keys)

    def _inputs(
        self, layer: int, heads: slice, queries: slice | list[int], keys: slice
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """Return the queries, keys and relative position bias of attention."""
        bias = self.model.blocks[layer].attn.bias(self.grid, queries, keys)
        q, k = self._queries[layer][heads, queries], self._keys[layer][heads, keys]
        return q, k, None if bias is None else bias[heads]

    def _pool_attention(self) -> np.ndarray:
        if self._pool_keys is None:
            raise IndexError(f"This model has no attention pooling; its pooling is {self.config.pooling!r}.")
        with torch.no_grad():
            scores = self._applied.pool_scores(self.model.attn_pool.score(self._pool_keys))
            weights = scores.softmax(dim=-1)  # head 1 key
        return F.pad(weights, (self.token_count - weights.shape[-1], 0)).numpy()

    def _pixels(self) -> Tensor:
        if self._input is not None:
            return self._input
        return torch.from_numpy(normalise(self.image.pixels, self.model.preprocessing))


def _editing(applied: Applied) -> AbstractContextManager[None]:
    """Context in which the edits are applied; without edits it does nothing."""
    return edit(applied.hooks()) if applied.edits else nullcontext()


def _is_pool(layer: object) -> bool:
    return isinstance(layer, str) and layer == POOL  # type first, because == compares arrays element by element


def _frozen(tensor: Tensor) -> np.ndarray:
    array = tensor.detach().cpu().float().numpy()
    array.flags.writeable = False
    return array
