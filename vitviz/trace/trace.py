"""Trace: the frozen record of one forward pass; attention computed on demand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..errors import HookError
from ..errors.arguments import array, checked_index, each_of_kind, of_kind, shown
from ..images import Prepared, normalise
from ..model.applied_edits import Applied, apply
from ..model.config import POOL, ViTConfig
from ..model.edits import ActivationPatch, Edit
from ..model.hooks import capture, edit, without_hooks
from ..model.precision import check_numbers, plain_arithmetic
from ..model.vit import ViT
from .saved_weights import fingerprint, saved_weights
from .trace_file import write_trace_file


@dataclass(frozen=True, eq=False)
class Trace:
    """What one forward pass of one image left behind. Frozen, on the CPU, without gradients: share it between threads.

    It keeps queries and keys (tokens x width numbers per layer), not the attention matrices (tokens x tokens per head);
    weights are computed from them when asked for. Indices count from 0 and may be negative. Tokens are counted as the
    model sees them: the `prefix` tokens (class token, registers), then the patches row by row.

    Attributes:
        model: the model that ran; shared, never changed.
        grid: rows and columns of patches.
        image: the pixels that the model saw and where they come from; None if a tensor was given.
        output: logits [class], or without a classifier the feature [D].
        edits: what was changed in this pass (`vitviz.model.edits`); all that the trace tells is of the edited pass.
    """

    model: ViT
    grid: tuple[int, int]
    image: Prepared | None
    output: np.ndarray
    _input: Tensor | None = field(repr=False)  # kept only if it cannot be made again from the image
    _queries: tuple[Tensor, ...] = field(repr=False)  # one a layer, [head, token, channel]
    _keys: tuple[Tensor, ...] = field(repr=False)
    _pool_keys: Tensor | None = field(repr=False)  # [head, token, channel] of what the attention pooling reads
    _recorded: Mapping[str, np.ndarray] = field(repr=False)
    _edited: bool = field(default=False, repr=False)  # under an `edit` that nobody can repeat
    edits: tuple[Edit, ...] = ()

    @property
    def config(self) -> ViTConfig:
        """The shape of the model."""
        return self.model.config

    @property
    def layers(self) -> int:
        """How many layers the model has; an attention pooling is not counted."""
        return len(self._queries)

    @property
    def heads(self) -> int:
        """How many attention heads a layer has."""
        return self._queries[0].shape[0]

    @property
    def prefix(self) -> int:
        """How many tokens stand before the patches."""
        return self.config.num_prefix_tokens

    @property
    def token_count(self) -> int:
        """How many tokens the sequence has, prefix tokens included."""
        return self.prefix + self.grid[0] * self.grid[1]

    @property
    def edited(self) -> bool:
        """Whether it was made under an `edit`, so that a second pass would differ."""
        return self._edited

    @property
    def nbytes(self) -> int:
        """Bytes of memory that this trace holds, the model not counted."""
        tensors = [t for t in (*self._queries, *self._keys, self._pool_keys, self._input) if t is not None]
        arrays = [self.output, *self._recorded.values()] + ([] if self.image is None else [self.image.pixels])
        arrays += [edit.values for edit in self.edits if isinstance(edit, ActivationPatch)]
        return sum(t.untyped_storage().nbytes() for t in tensors) + sum(a.nbytes for a in arrays)

    def queries(self, layer: int) -> np.ndarray:
        """Queries of a layer as they enter the softmax, float32 [head, token, channel]; read-only."""
        return _frozen(self._queries[self._layer(layer)])

    def keys(self, layer: int) -> np.ndarray:
        """Keys of a layer as they enter the softmax, float32 [head, token, channel]; read-only."""
        return _frozen(self._keys[self._layer(layer)])

    @plain_arithmetic()
    def attention(self, layer: int | str, head: int | None = None, query: int | None = None) -> np.ndarray:
        """Attention weights, softmax(q k^T / sqrt(d)), "Attention Is All You Need", section 3.2.1.

        Relative positions are part of the scores, and so is what the trace's edits make of them. Of differential
        attention these are the effective weights: the difference of two softmaxes, which may be negative; their rows
        sum to 1 - lambda.

        Who wants all of it can have it from the pass itself, with `record="blocks.*.attn.weights"`, for the memory that
        all matrices take; what is returned is then read-only.

        Args:
            layer: which block; or `"pool"` for the attention of a pooling, which has one query only, its own. Tokens
                that the pooling does not read get weight 0.
            head: which head; None for all of them.
            query: the token that looks; None for all of them. With a query no matrix is built.

        Returns:
            float32 [head, query, key], less the axes that were chosen. But for differential attention, weights are
            between 0 and 1 and every row sums to 1.

        Raises:
            IndexError: if an index is out of range.
        """
        if _is_pool(layer):
            weights = self._pool_attention()
            query = None if query is None else checked_index(query, 1, "query of the pooling")
            weights = weights if query is None else weights[:, query]
            return weights if head is None else weights[checked_index(head, len(weights), "head")]
        layer = self._layer(layer)
        heads = slice(None) if head is None else slice(self.head_index(head), self.head_index(head) + 1)
        queries = slice(None) if query is None else slice(self.token_index(query), self.token_index(query) + 1)
        attn = self.model.blocks[layer].attn
        recorded = self._recorded.get(f"blocks.{layer}.attn.weights")
        if recorded is not None:
            weights = recorded[heads, queries]
        else:
            with torch.no_grad():
                weights = attn.weigh(self._scores(layer, heads, queries, slice(None))).numpy()  # head query key
        if query is not None:
            weights = weights[:, 0]
        return weights if head is None else weights[0]

    def row_sum(self, layer: int | str) -> float:
        """What each row of a layer's weights sums to: 1, or 1 - lambda if its attention is differential.

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
        """What enters the softmax: q k^T / sqrt(d), plus the bias of relative positions; -inf of patches that are off.

        Args:
            layer: which block.
            head: which head; None for all of them.
            query: the token that looks; None for all of them.
            key: the token that is looked at; None for all of them.

        Returns:
            float32 [head, query, key], or [head, 2, query, key] of differential attention, which has two softmaxes;
            less the axes that were chosen.

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
        places = [0, scores.ndim - 2, scores.ndim - 1]
        return scores.squeeze(tuple(place for place, at in zip(places, chosen, strict=True) if at is not None))

    def heatmap(self, layer: int | str, head: int | None = None, query: int = 0) -> np.ndarray:
        """The patch part of one attention row, as a map.

        Args:
            layer: which block, or `"pool"`.
            head: which head; None for all of them.
            query: the token that looks; 0 is the class token where there is one (and the pooling's only query).

        Returns:
            float32 [rows, columns], or [head, rows, columns]. Sums to 1 less what goes to the prefix tokens.

        Raises:
            IndexError: if an index is out of range.
        """
        weights = self.attention(layer, head, query)[..., self.prefix :]
        return weights.reshape(*weights.shape[:-1], *self.grid)

    def tokens(self, layer: int) -> np.ndarray:
        """The residual stream after a block, float32 [token, D]; read-only.

        Raises:
            IndexError: if the layer is out of range.
        """
        return self.activation(f"blocks.{self._layer(layer)}.resid_post")

    def activation(self, name: str) -> np.ndarray:
        """Activation at a hook point (names and shapes in `vitviz.model.hooks`), without the batch axis; read-only.

        Taken from the record if it was recorded, computed again by one forward pass if it was not.

        Raises:
            HookError: if there is no such hook point; or if it was not recorded and the trace was made under an `edit`,
                so that a second pass would differ.
        """
        return self.activations(name)[name]

    def activations(self, *names: str) -> dict[str, np.ndarray]:
        """The same for several hook points, with one forward pass for all that were not recorded; read-only."""
        each_of_kind(names, str, "names")
        missing = [name for name in names if name not in self._recorded]
        if missing and self._edited:
            raise HookError(
                f"{shown(missing[0])} was not recorded and this trace was made under an edit; trace with "
                f"record={shown(missing[0])}."
            )
        found = {name: self._recorded[name] for name in names if name in self._recorded}
        if missing:
            check_numbers(self.model)
            with plain_arithmetic(), without_hooks(), torch.no_grad(), _under(self._applied), capture(*missing) as kept:
                self.model(self._pixels()[None])
            for name in missing:
                if name not in kept:
                    raise HookError(f"{shown(name)} means several hook points; give the name of each.")
                found[name] = _frozen(kept[name][0])
        return found

    def with_recorded(self, activations: Mapping[str, np.ndarray]) -> Trace:
        """The same trace, which has these activations (of `activations`) at hand and does not compute them again.

        Raises:
            ArgumentError: if they are not arrays by the name of their hook point.
        """
        of_kind(activations, Mapping[str, np.ndarray], "activations")
        each_of_kind(activations, str, "activations")
        found = {
            name: array(values, "...", f"The activations of {shown(name)}", finite=False)
            for name, values in activations.items()
        }
        return replace(self, _recorded={**self._recorded, **found})

    def rerun(self, *, edits: Sequence[Edit] = (), record: tuple[str, ...] = ()) -> Trace:
        """The same image once more through the same model, under these edits instead of this trace's own.

        Raises:
            HookError: if `record` names a hook point that does not exist.
            EditError: if an edit is of something that the model has not.
        """
        return self.model.trace(self.model_input, record=record, edits=edits)

    @property
    def model_input(self) -> Prepared | Tensor:
        """The model's input, as `trace` accepts it."""
        return self._input if self.image is None else self.image

    def save(self, path: str | Path) -> None:
        """Write the trace to a file, without the model, which may be many times larger; `vitviz.open_trace` reads it.

        The file is in the safetensors format, about as large as `nbytes`; `pickle` takes the whole model along.

        Args:
            path: the file, such as `"cat.trace"`; an existing one is replaced.

        Raises:
            TraceError: if the file cannot be written.
        """
        of_kind(path, str | Path, "path")
        write_trace_file(Path(path), *_taken_apart(self))

    def __repr__(self) -> str:
        shape = f"{self.grid[0]} x {self.grid[1]} patches, {self.layers} layers, {self.heads} heads"
        return f"Trace({self.model.name!r}: {shape}, output {list(self.output.shape)}, {len(self.edits)} edits)"

    def pixels(self) -> np.ndarray:
        """What entered the model: normalised pixels, float32 [channel, H, W]; read-only."""
        return _frozen(self._pixels())

    def token_index(self, token: int) -> int:
        """The token counted from 0, for one that may be counted from the end."""
        return checked_index(token, self.token_count, "token")

    def head_index(self, head: int) -> int:
        """The head counted from 0, for one that may be counted from the end."""
        return checked_index(head, self.heads, "head")

    @property
    def _applied(self) -> Applied:
        return apply(self.edits, self.config, self.grid)

    def _layer(self, layer: int) -> int:
        return checked_index(layer, self.layers, "layer")

    def _scores(self, layer: int, heads: slice, queries: slice, keys: slice) -> Tensor:
        attn = self.model.blocks[layer].attn
        q, k = self._queries[layer][heads, queries], self._keys[layer][heads, keys]
        bias = attn.bias(self.grid, queries, keys)
        scores = attn.score(q, k, None if bias is None else bias[heads])
        return self._applied.scores(scores, layer, heads, keys)

    def _pool_attention(self) -> np.ndarray:
        if self._pool_keys is None:
            raise IndexError(f"This model pools by {self.config.pooling}: its pooling has no attention.")
        with torch.no_grad():
            scores = self._applied.pool_scores(self.model.attn_pool.score(self._pool_keys))
            weights = scores.softmax(dim=-1)  # head 1 key
        return F.pad(weights, (self.token_count - weights.shape[-1], 0)).numpy()

    def _pixels(self) -> Tensor:
        if self._input is not None:
            return self._input
        return torch.from_numpy(normalise(self.image.pixels, self.model.preprocessing))


def _under(applied: Applied) -> AbstractContextManager[None]:
    """The edits in force; without any, nothing is."""
    return edit(applied.hooks()) if applied.edits else nullcontext()


def _is_pool(layer: object) -> bool:
    return isinstance(layer, str) and layer == POOL  # in this order, because an array compares each of its numbers


def _frozen(tensor: Tensor) -> np.ndarray:
    array = tensor.detach().cpu().float().numpy()
    array.flags.writeable = False
    return array


def _taken_apart(trace: Trace) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """A trace as arrays and JSON, see `trace_file`."""
    image, own = trace.image, trace.model
    tensors = {f"queries.{layer}": trace.queries(layer) for layer in range(trace.layers)}
    tensors |= {f"keys.{layer}": trace.keys(layer) for layer in range(trace.layers)}
    tensors |= {"output": trace.output} | {f"recorded.{name}": value for name, value in trace._recorded.items()}
    tensors |= {f"edits.{i}": edit.values for i, edit in enumerate(trace.edits) if isinstance(edit, ActivationPatch)}
    tensors |= {f"model.{name}": value.numpy() for name, value in saved_weights(own).items()}
    if trace._pool_keys is not None:
        tensors["pool_keys"] = trace._pool_keys.numpy()
    if image is not None:
        tensors["pixels"] = image.pixels
    else:
        tensors["input"] = trace._input.numpy()
    about = {
        "config": asdict(own.config),
        "name": own.name,
        "preprocessing": asdict(own.preprocessing),
        "labels": own.labels,
        "output_kind": own.output_kind,
        "notes": own.notes,
        "fingerprint": fingerprint(own),
        "grid": trace.grid,
        "image": None if image is None else {"geometry": asdict(image.geometry), "notes": image.notes},
        "edited": trace.edited,
        "edits": [_edit_said(edit) for edit in trace.edits],
    }
    return tensors, about


def _edit_said(edit: Edit) -> dict[str, Any]:
    said = {one.name: getattr(edit, one.name) for one in fields(edit) if one.name not in ("values", "digest")}
    return {"kind": type(edit).__name__, **said}
