"""Apply edits to the activations at hook points, and to attention that is computed after the forward pass."""

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
    hook_of,
)

Change = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Applied:
    """Checked edits of one model and grid.

    Attributes:
        edits: edits of the forward pass.
        config: configuration of the model.
        grid: rows and columns of patches.
    """

    edits: tuple[Edit, ...]
    config: ViTConfig
    grid: tuple[int, int]

    def hooks(self) -> dict[str, Change]:
        """Return the functions for `vitviz.model.hooks.edit`, by hook point; the order of the edits has no effect.

        Raises:
            EditError: if an edit has no values yet; see `with_activations_from`.
        """
        changes: dict[str, Change] = {}
        for edit in self.edits:
            if isinstance(edit, ActivationCopy):
                raise EditError("An ActivationCopy has no values yet; add them with with_activations_from.")
            if isinstance(edit, HeadAblation | SublayerAblation | ActivationPatch):
                name = hook_of(edit)
                changes[name] = _then(changes.get(name), _change(edit))
        if self._ablated_patches:
            changes["embed.patches"] = _replace_by_mean(self._ablated_patches)
        changes |= {
            f"blocks.{layer}.attn.scores": lambda scores, layer=layer: self.scores(scores, layer)
            for layer in range(self.config.depth)
            if self.changes_scores(layer)
        }
        if self._masked_tokens:
            if self.config.pooling == "attention":
                changes[f"{POOL}.scores"] = self.pool_scores
            elif "mean" in self.config.pooling:
                changes["norm"] = self._exclude_from_mean
        return changes

    def changes_scores(self, layer: int) -> bool:
        """Return True if the attention scores of a layer are edited."""
        return bool(self._masked_tokens) or any(edit.layer == layer for edit in self._temperatures)

    def scores(self, scores: Tensor, layer: int, heads: slice = slice(None), keys: slice = slice(None)) -> Tensor:
        """Apply the edits to the attention scores of a layer, or to a slice of them.

        Args:
            scores: attention scores [..., head, query, key], or [..., head, 2, query, key] for differential attention.
            layer: layer index.
            heads: heads in `scores`.
            keys: keys in `scores`.
        """
        if any(edit.layer == layer for edit in self._temperatures):
            after = 3 if self.config.differential else 2
            scores = scores / self._divisors(layer).to(scores)[heads].view(-1, *[1] * after)
        return scores.masked_fill(self._mask.to(scores.device)[keys], -torch.inf) if self._masked_tokens else scores

    def pool_scores(self, scores: Tensor) -> Tensor:
        """Apply the edits to the scores of the attention pooling, [..., head, 1, key]."""
        first = 0 if self.config.pool_include_prefix else self.config.num_prefix_tokens
        return scores.masked_fill(self._mask[first:].to(scores.device), -torch.inf) if self._masked_tokens else scores

    @cached_property
    def _temperatures(self) -> tuple[Temperature, ...]:
        return tuple(edit for edit in self.edits if isinstance(edit, Temperature) and edit.value != 1)

    @cached_property
    def _masked_tokens(self) -> list[int]:
        return [edit.token for edit in self.edits if isinstance(edit, KeyMask)]

    @cached_property
    def _mask(self) -> Tensor:
        """Mask that is True for the tokens masked as keys, bool [token]."""
        mask = torch.zeros(self.config.num_prefix_tokens + self.grid[0] * self.grid[1], dtype=torch.bool)
        mask[self._masked_tokens] = True
        return mask

    @cached_property
    def _ablated_patches(self) -> list[int]:
        """Indices of the ablated patches, prefix tokens not counted."""
        ablations = (edit for edit in self.edits if isinstance(edit, PatchAblation))
        return [edit.token - self.config.num_prefix_tokens for edit in ablations]

    def _divisors(self, layer: int) -> Tensor:
        divisors = torch.ones(self.config.num_heads, dtype=torch.float32)
        for edit in self._temperatures:
            if edit.layer == layer:
                divisors[edit.head] = edit.value
        return divisors

    def _exclude_from_mean(self, x: Tensor) -> Tensor:
        return exclude_from_mean(x, self._mask.to(x.device), self.config)


def apply(edits: Iterable[Edit], config: ViTConfig, grid: tuple[int, int]) -> Applied:
    """Check edits against a model and its input, and return them ready for use.

    Raises:
        EditError: if an edit does not fit the model; see `checked`.
    """
    return Applied(checked(edits, config, grid), config, tuple(grid))


@typed
def edit_hooks(edits: Iterable[Edit], config: ViTConfig, grid: tuple[int, int]) -> dict[str, Change]:
    """Convert edits to functions for `vitviz.model.hooks.edit`, by hook point.

    Args:
        edits: edits of the forward pass.
        config: configuration of the model.
        grid: rows and columns of patches of the input.

    Raises:
        EditError: if an edit does not fit the model, or has no values.
    """
    return apply(edits, config, grid).hooks()


def exclude_from_mean(x: Tensor, mask: Tensor, config: ViTConfig) -> Tensor:
    """Exclude masked tokens from mean pooling, by replacing each of them with the mean of the other pooled tokens.

    The mean over all tokens then equals the mean over the tokens that are not masked.

    Args:
        x: tokens after the final norm, [batch, token, D].
        mask: True for tokens to exclude, bool [token] or [batch, token].
        config: configuration of the model.

    Returns:
        Tokens of the same shape.
    """
    first = 0 if config.pool_include_prefix else config.num_prefix_tokens
    included = (~mask[..., first:]).to(x).expand(len(x), -1)[..., None]  # batch token 1
    mean = (x[:, first:] * included).sum(dim=1, keepdim=True) / included.sum(dim=1, keepdim=True)
    return torch.where(mask[..., None], mean, x)


def ablated(x: Tensor, how: str) -> Tensor:
    """Return the ablated value of [..., token, channel]: zeros, or the mean over all tokens."""
    return torch.zeros_like(x) if how == "zero" else x.mean(dim=-2, keepdim=True).expand_as(x)


def _change(edit: HeadAblation | SublayerAblation | ActivationPatch) -> Change:
    """Edit as a function of z [batch, head, token, channel], or of a sublayer's output [batch, token, D]."""

    def replacement(x: Tensor) -> Tensor:
        if isinstance(edit, ActivationPatch):
            return torch.tensor(edit.values).to(x).expand_as(x)
        return ablated(x, edit.how)

    def change(x: Tensor) -> Tensor:
        if getattr(edit, "head", None) is None:
            return replacement(x)
        x = x.clone()
        x[:, edit.head] = replacement(x[:, edit.head])
        return x

    return change


def _replace_by_mean(patches: list[int]) -> Change:
    def change(x: Tensor) -> Tensor:  # batch patch D
        mean, x = x.mean(dim=1, keepdim=True), x.clone()
        x[:, patches] = mean
        return x

    return change


def _then(first: Change | None, second: Change) -> Change:
    return second if first is None else lambda x: second(first(x))
