"""Edits of a forward pass, as small frozen dataclasses.

Layers, heads and tokens are counted from 0, as in `Trace`. All edits are hashable. All are plain data that
`vitviz.notation.edits` can write into links, except for `ActivationPatch`, which holds an array.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from operator import index
from typing import Literal, get_args

import numpy as np

from ..errors import ArgumentError, EditError
from ..errors.arguments import array, checked_grid, checked_index, is_whole, of_kind, shown, typed
from ..errors.arguments import one_of as choose
from .config import ViTConfig

How = Literal["zero", "mean"]
Sublayer = Literal["attention", "mlp"]
SUBLAYERS: tuple[Sublayer, ...] = get_args(Sublayer)
COLDEST, HOTTEST = 0.01, 100.0  # temperatures; beyond them a softmax is nearly one-hot or uniform


@dataclass(frozen=True)
class HeadAblation:
    """Ablation of an attention head: its output z is replaced before the output projection.

    Attributes:
        layer: layer index.
        head: head index.
        how: `"zero"`: z becomes 0; `"mean"`: z of every token becomes the mean of z over all tokens.
    """

    layer: int
    head: int
    how: How = "zero"

    def __post_init__(self) -> None:
        _whole(self, "layer", "head")
        one_of(self.how, How)

    @property
    def target(self) -> tuple:
        """Target of the edit; two edits of the same target would override each other."""
        return "head", self.layer, self.head


@dataclass(frozen=True)
class SublayerAblation:
    """Ablation of a sublayer: the output that attention or the MLP adds to the residual stream is replaced.

    Zero ablation skips the sublayer. Ablating all of its heads is not the same: the output projection of zeros is its
    bias (normalised, if a norm follows), and this constant is still added to every token.

    Attributes:
        layer: layer index.
        sublayer: `"attention"` or `"mlp"`.
        how: `"zero"`: nothing is added; `"mean"`: the mean over all tokens is added to every token.
    """

    layer: int
    sublayer: Sublayer = "attention"
    how: How = "zero"

    def __post_init__(self) -> None:
        _whole(self, "layer")
        one_of(self.sublayer, Sublayer)
        one_of(self.how, How)

    @property
    def target(self) -> tuple:
        """Target of the edit."""
        return "sublayer", self.layer, self.sublayer


@dataclass(frozen=True)
class PatchEdit:
    """Base class of the edits that remove a patch; two of the same patch would override each other.

    Attributes:
        token: token index of the patch.
    """

    token: int

    def __post_init__(self) -> None:
        _whole(self, "token")

    @property
    def target(self) -> tuple:
        """Target of the edit."""
        return "patch", self.token


@dataclass(frozen=True)
class KeyMask(PatchEdit):
    """Mask of a patch as a key: no token can attend to it, in any layer.

    Its scores become -inf, so its weights are exactly 0 and the weights of the others sum to 1. Pooling does not read
    it either. Its own residual stream is still computed, but has no effect on the output.
    """


@dataclass(frozen=True)
class PatchAblation(PatchEdit):
    """Ablation of a patch: its embedding is replaced by the mean of all patch embeddings.

    This happens before position embeddings are added.
    """


@dataclass(frozen=True)
class Temperature:
    """Temperature of a head, by which its scores are divided before the softmax: below 1, attention is sharper.

    Attributes:
        layer: layer index.
        head: head index.
        value: the temperature, from 0.01 to 100, rounded to six decimals; 1 changes nothing.
    """

    layer: int
    head: int
    value: float

    def __post_init__(self) -> None:
        _whole(self, "layer", "head")
        try:
            value = round(float(self.value), 6)
        except (TypeError, ValueError, OverflowError):
            value = math.nan
        if not COLDEST <= value <= HOTTEST:
            raise EditError(f"A temperature must be a number from {COLDEST:g} to {HOTTEST:g}, not {shown(self.value)}.")
        object.__setattr__(self, "value", value)

    @property
    def target(self) -> tuple:
        """Target of the edit."""
        return "temperature", self.layer, self.head


@dataclass(frozen=True)
class ActivationCopy:
    """Request for activation patching from another image, without the activations themselves.

    `with_activations_from` turns it into an `ActivationPatch`.

    Attributes:
        layer: layer index.
        head: head index; None for the whole sublayer.
        sublayer: `"attention"` or `"mlp"`.
    """

    layer: int
    head: int | None = None
    sublayer: Sublayer = "attention"

    def __post_init__(self) -> None:
        _whole(self, "layer", *([] if self.head is None else ["head"]))
        one_of(self.sublayer, Sublayer)
        if self.head is not None and self.sublayer != "attention":
            raise EditError("The MLP has no heads; use head=None or sublayer='attention'.")

    @property
    def target(self) -> tuple:
        """Target of the edit, the same as for `HeadAblation` or `SublayerAblation`."""
        return _target(self)

    @property
    def hook(self) -> str:
        """Hook point whose activations are copied."""
        return hook_of(self)


@dataclass(frozen=True)
class ActivationPatch:
    """Activation patching: the output of a head or sublayer is replaced by given values.

    Vig et al. 2020, "Investigating Gender Bias in Language Models Using Causal Mediation Analysis", section 3.

    Attributes:
        layer: layer index.
        head: head index; None for the whole sublayer.
        sublayer: `"attention"` or `"mlp"`.
        values: float32 [token, channel], z of the head, or [token, D], the output of the sublayer; read-only.
        digest: SHA-256 of the values, for equality and hashing.
    """

    layer: int
    head: int | None
    sublayer: Sublayer
    values: np.ndarray = field(compare=False, repr=False)
    digest: str = field(init=False, default="")

    def __post_init__(self) -> None:
        copied = ActivationCopy(self.layer, self.head, self.sublayer)  # checks the fields
        object.__setattr__(self, "layer", copied.layer)
        object.__setattr__(self, "head", copied.head)
        try:
            values = array(self.values, "token, channel", "Patched values").astype(np.float32)  # makes a copy
        except ArgumentError as error:
            raise EditError(str(error)) from error
        values.flags.writeable = False
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "digest", sha256(repr(values.shape).encode() + values.tobytes()).hexdigest())

    @property
    def target(self) -> tuple:
        """Target of the edit, the same as for `HeadAblation` or `SublayerAblation`."""
        return _target(self)


Edit = HeadAblation | SublayerAblation | KeyMask | PatchAblation | Temperature | ActivationCopy | ActivationPatch


def checked(edits: Iterable[Edit], config: ViTConfig, grid: tuple[int, int]) -> tuple[Edit, ...]:
    """Check edits against a model and its input, and return them as a tuple.

    Raises:
        EditError: if a layer, head or token is out of range, if two edits have the same target, or if all patches are
            masked.
    """
    if not isinstance(edits, Iterable) or getattr(edits, "ndim", 1) == 0:
        raise EditError(f"Edits must be a list, such as edits=[HeadAblation(2, 1)], not {shown(edits)}.")
    of_kind(config, ViTConfig, "config")
    edits, grid = tuple(edits), checked_grid(grid)
    tokens = config.num_prefix_tokens + grid[0] * grid[1]
    seen = set()
    for edit in edits:
        if not isinstance(edit, Edit):
            raise EditError(
                f"{shown(edit)} is not an edit; use a class of vitviz.model.edits, such as HeadAblation(2, 1)."
            )
        if edit.target in seen:
            raise EditError(f"There are two edits of the same {edit.target[0]}; remove one of them.")
        seen.add(edit.target)
        if isinstance(edit, PatchEdit):
            _within(edit.token, config.num_prefix_tokens, tokens, "the token index of a patch")
            continue
        _within(edit.layer, 0, config.depth, "a layer")
        if getattr(edit, "head", None) is not None:
            _within(edit.head, 0, config.num_heads, "a head")
        if isinstance(edit, ActivationPatch):
            shape = (tokens, config.embed_dim if edit.head is None else config.head_dim)
            if edit.values.shape != shape:
                raise EditError(
                    f"Patched values must have the shape {list(shape)} [token, channel], not "
                    f"{list(edit.values.shape)}; take them from an image with the same grid."
                )
    if sum(isinstance(edit, KeyMask) for edit in edits) == tokens - config.num_prefix_tokens:
        raise EditError("All patches are masked; leave at least one unmasked.")
    return edits


@typed
def with_activations_from(edits: Sequence[Edit], values: dict[str, np.ndarray]) -> tuple[Edit, ...]:
    """Replace each `ActivationCopy` by an `ActivationPatch` with the activations of another image.

    Args:
        edits: edits of any kind; those of other kinds are returned unchanged.
        values: activations of the other image, by hook point, without the batch axis:
            `other.activations(*{edit.hook for edit in edits if isinstance(edit, ActivationCopy)})`.

    Raises:
        EditError: if the activations of a hook point are missing.
        IndexError: if a head is out of range.
    """

    def filled(edit: Edit) -> Edit:
        if not isinstance(edit, ActivationCopy):
            return edit
        if edit.hook not in values:
            raise EditError(
                f"The activations at {edit.hook} are missing; record them in the forward pass of the other image."
            )
        activations = values[edit.hook]
        if edit.head is not None:
            activations = array(activations, "head, token, channel", "Values")
            activations = activations[checked_index(edit.head, len(activations), "head")]
        return ActivationPatch(edit.layer, edit.head, edit.sublayer, activations)

    return tuple(map(filled, edits))


def hook_of(edit: HeadAblation | SublayerAblation | ActivationCopy | ActivationPatch) -> str:
    """Return the hook point whose values an edit of a head or of a sublayer replaces."""
    outputs = {"attention": "attn.out", "mlp": "mlp.out"}
    name = outputs[edit.sublayer] if getattr(edit, "head", None) is None else "attn.z"
    return f"blocks.{edit.layer}.{name}"


def _target(edit: ActivationCopy | ActivationPatch) -> tuple:
    return ("sublayer", edit.layer, edit.sublayer) if edit.head is None else ("head", edit.layer, edit.head)


def one_of(value: str, kinds: object) -> None:
    """Check that a value is one of the choices of a `Literal`."""
    choose(value, get_args(kinds), "ablation or sublayer", EditError)


def _whole(edit: Edit, *names: str) -> None:
    """Convert these fields to `int`, from integers of Python, NumPy or PyTorch; bools are refused."""
    for name in names:
        value = getattr(edit, name)
        if not is_whole(value):
            raise EditError(f"The {name} must be a whole number, not {shown(value)}.")
        object.__setattr__(edit, name, index(value))


def _within(value: int, first: int, end: int, what: str) -> None:
    if not first <= value < end:
        raise EditError(f"In this model {what} is from {first} to {end - 1}, not {shown(value)}.")
