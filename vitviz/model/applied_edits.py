"""Edits as functions of what flows through hook points; the same rules for the attention that is computed later."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from ..errors import EditError
from ..errors.arguments import typed
from .config import POOL, ViTConfig
from .edits import (
    ActivationCopy,
    ActivationPatch,
    Edit,
    HeadAblation,
    KeyMask,
    PatchAblation,
    SublayerAblation,
    Temperature,
    checked,
)

Change = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Applied:
    """Edits of one model and grid, ready to be applied.

    Attributes:
        edits: what is edited; checked.
        config: the model's shape.
        grid: rows and columns of patches.
    """

    edits: tuple[Edit, ...]
    config: ViTConfig
    grid: tuple[int, int]

    def hooks(self) -> dict[str, Change]:
        """Functions for `vitviz.model.hooks.edit`, by hook point; the order of the edits does not matter.

        Raises:
            EditError: if an edit has no values yet, see `with_activations_from`.
        """
        changes: dict[str, Change] = {}
        for edit in self.edits:
            if isinstance(edit, ActivationCopy):
                raise EditError("An edit that copies from another image needs its values: use with_activations_from.")
            if isinstance(edit, HeadAblation | SublayerAblation | ActivationPatch):
                name = f"blocks.{edit.layer}.{_hook(edit)}"
                changes[name] = _then(changes.get(name), _change(edit))
        if self._averaged:
            changes["embed.patches"] = _averaging(self._averaged)
        changes |= {
            f"blocks.{layer}.attn.scores": lambda scores, layer=layer: self.scores(scores, layer)
            for layer in range(self.config.depth)
            if self.changes_scores(layer)
        }
        if self._hidden_tokens:
            if self.config.pooling == "attention":
                changes[f"{POOL}.scores"] = self.pool_scores
            elif "mean" in self.config.pooling:
                changes["norm"] = self._left_out_of_the_mean
        return changes

    def changes_scores(self, layer: int) -> bool:
        """Whether the scores of a layer are edited."""
        return bool(self._hidden_tokens) or any(edit.layer == layer for edit in self._temperatures)

    def scores(self, scores: Tensor, layer: int, heads: slice = slice(None), keys: slice = slice(None)) -> Tensor:
        """What the edits make of the scores of a layer, or of the part of them that slices cut out.

        Args:
            scores: [..., head, query, key], or [..., head, 2, query, key] of differential attention.
            layer: whose scores.
            heads: which heads they are of.
            keys: which keys.
        """
        if any(edit.layer == layer for edit in self._temperatures):
            after = 3 if self.config.differential else 2
            scores = scores / self._divisors(layer)[heads].view(-1, *[1] * after)
        return scores.masked_fill(self._hidden[keys], -torch.inf) if self._hidden_tokens else scores

    def pool_scores(self, scores: Tensor) -> Tensor:
        """What the edits make of the scores of the pooling, [..., head, 1, key]."""
        first = 0 if self.config.pool_include_prefix else self.config.num_prefix_tokens
        return scores.masked_fill(self._hidden[first:], -torch.inf) if self._hidden_tokens else scores

    @cached_property
    def _temperatures(self) -> tuple[Temperature, ...]:
        return tuple(edit for edit in self.edits if isinstance(edit, Temperature) and edit.value != 1)

    @cached_property
    def _hidden_tokens(self) -> list[int]:
        return [edit.token for edit in self.edits if isinstance(edit, KeyMask)]

    @cached_property
    def _hidden(self) -> Tensor:
        """Which tokens nobody can look at, bool [token]."""
        hidden = torch.zeros(self.config.num_prefix_tokens + self.grid[0] * self.grid[1], dtype=torch.bool)
        hidden[self._hidden_tokens] = True
        return hidden

    @cached_property
    def _averaged(self) -> list[int]:
        """Which patches are replaced by the mean of all, counted without the tokens before them."""
        off = (edit for edit in self.edits if isinstance(edit, PatchAblation))
        return [edit.token - self.config.num_prefix_tokens for edit in off]

    def _divisors(self, layer: int) -> Tensor:
        divisors = torch.ones(self.config.num_heads, dtype=torch.float32)
        for edit in self._temperatures:
            if edit.layer == layer:
                divisors[edit.head] = edit.value
        return divisors

    def _left_out_of_the_mean(self, x: Tensor) -> Tensor:
        return left_out_of_the_mean(x, self._hidden, self.config)


def apply(edits: Iterable[Edit], config: ViTConfig, grid: tuple[int, int]) -> Applied:
    """Edits, ready to be applied to a model of this shape.

    Raises:
        EditError: if the model has not what they are about; see `checked`.
    """
    return Applied(checked(edits, config, grid), config, tuple(grid))


@typed
def edit_hooks(edits: Iterable[Edit], config: ViTConfig, grid: tuple[int, int]) -> dict[str, Change]:
    """Functions for `vitviz.model.hooks.edit`, by hook point.

    Args:
        edits: what to change.
        config: the model's shape.
        grid: rows and columns of patches of the input.

    Raises:
        EditError: if the model has not what they are about, or an edit has no values.
    """
    return apply(edits, config, grid).hooks()


def left_out_of_the_mean(x: Tensor, hidden: Tensor, config: ViTConfig) -> Tensor:
    """Tokens [batch, token, D] whose mean, as the model pools it, is that of the tokens that are not hidden.

    A mean does not change when a number that is not to count is replaced by the mean of those that are.

    Args:
        x: what leaves the final norm.
        hidden: which tokens do not count, bool [token] or [batch, token].
        config: the model's shape.
    """
    first = 0 if config.pool_include_prefix else config.num_prefix_tokens
    counted = (~hidden[..., first:]).to(x).expand(len(x), -1)[..., None]  # batch token 1
    mean = (x[:, first:] * counted).sum(dim=1, keepdim=True) / counted.sum(dim=1, keepdim=True)
    return torch.where(hidden[..., None], mean, x)


def without(x: Tensor, how: str) -> Tensor:
    """What stands in for [..., token, channel] that is thrown away: zeros, or the mean over the tokens."""
    return torch.zeros_like(x) if how == "zero" else x.mean(dim=-2, keepdim=True).expand_as(x)


def _hook(edit: HeadAblation | SublayerAblation | ActivationPatch) -> str:
    if getattr(edit, "head", None) is not None:
        return "attn.z"
    return {"attention": "attn.out", "mlp": "mlp.out"}[edit.sublayer]


def _change(edit: HeadAblation | SublayerAblation | ActivationPatch) -> Change:
    """The edit as a function of z [batch, head, token, channel] or of what is added [batch, token, D]."""

    def stand_in(x: Tensor) -> Tensor:
        if isinstance(edit, ActivationPatch):
            return torch.tensor(edit.values).to(x).expand_as(x)
        return without(x, edit.how)

    def change(x: Tensor) -> Tensor:
        if getattr(edit, "head", None) is None:
            return stand_in(x)
        x = x.clone()
        x[:, edit.head] = stand_in(x[:, edit.head])
        return x

    return change


def _averaging(patches: list[int]) -> Change:
    def change(x: Tensor) -> Tensor:  # batch patch D
        mean, x = x.mean(dim=1, keepdim=True), x.clone()
        x[:, patches] = mean
        return x

    return change


def _then(first: Change | None, second: Change) -> Change:
    return second if first is None else lambda x: second(first(x))
