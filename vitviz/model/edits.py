"""What can be switched off or changed in a forward pass, each as a small frozen record.

Layers, heads and tokens count from 0 and are what `Trace` calls them. All records are hashable; all but `Patched`,
which carries numbers, are plain data (`vitviz.notation.edits` writes them into links).
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
HowPatch = Literal["keys", "mean"]
Part = Literal["attention", "mlp"]
COLDEST, HOTTEST = 0.01, 100.0  # temperatures; beyond them a softmax is one token or all alike anyway


@dataclass(frozen=True)
class HeadOff:
    """What one head found is thrown away, before it is projected.

    Attributes:
        layer: which layer.
        head: which of its heads.
        how: `"zero"`: its weighted sums of values, z, become 0; `"mean"`: each becomes their mean over all tokens.
    """

    layer: int
    head: int
    how: How = "zero"

    def __post_init__(self) -> None:
        _whole(self, "layer", "head")
        one_of(self.how, How)

    @property
    def target(self) -> tuple:
        """What is edited; of two edits with the same target one would undo the other."""
        return "head", self.layer, self.head


@dataclass(frozen=True)
class LayerOff:
    """What attention or MLP of a layer adds to the residual stream is thrown away.

    With `how="zero"` that half of the block is skipped. Switching off all heads is not quite that: the projection of
    zeros is its bias (after a norm, if there is one), and that constant is still added to every token.

    Attributes:
        layer: which layer.
        part: which half of the block.
        how: `"zero"`: nothing is added; `"mean"`: every token gets the mean over all tokens added.
    """

    layer: int
    part: Part = "attention"
    how: How = "zero"

    def __post_init__(self) -> None:
        _whole(self, "layer")
        one_of(self.part, Part)
        one_of(self.how, How)

    @property
    def target(self) -> tuple:
        """What is edited."""
        return "part", self.layer, self.part


@dataclass(frozen=True)
class PatchOff:
    """A patch is taken away from the model.

    Attributes:
        token: which token; it has to be a patch.
        how: `"keys"`: no token can look at it, in any layer: its score is -inf, so that its weight is exactly 0 and the
            others' sum to 1; the model's pooling does not read it either. Its own stream goes on, unheard.
            `"mean"`: its embedding becomes the mean of all patches' embeddings, before its position is added.
    """

    token: int
    how: HowPatch = "keys"

    def __post_init__(self) -> None:
        _whole(self, "token")
        one_of(self.how, HowPatch)

    @property
    def target(self) -> tuple:
        """What is edited."""
        return "patch", self.token


@dataclass(frozen=True)
class Temperature:
    """The scores of a head are divided by a number before the softmax: below 1 it looks more sharply, above less so.

    Attributes:
        layer: which layer.
        head: which of its heads.
        value: the number, from 0.01 to 100; kept to six decimals. 1 changes nothing.
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
            raise EditError(f"A temperature is a number from {COLDEST:g} to {HOTTEST:g}, not {shown(self.value)}.")
        object.__setattr__(self, "value", value)

    @property
    def target(self) -> tuple:
        """What is edited."""
        return "temperature", self.layer, self.head


@dataclass(frozen=True)
class Copied:
    """What a head, or a half of a block, has to be given from another image's pass; `taken_from` makes it `Patched`.

    Attributes:
        layer: which layer.
        head: which of its heads; None for the whole `part`.
        part: which half of the block.
    """

    layer: int
    head: int | None = None
    part: Part = "attention"

    def __post_init__(self) -> None:
        _whole(self, "layer", *([] if self.head is None else ["head"]))
        one_of(self.part, Part)
        if self.head is not None and self.part != "attention":
            raise EditError("Only attention has heads to copy.")

    @property
    def target(self) -> tuple:
        """What is edited: the same as `HeadOff` or `LayerOff` edit."""
        return _place(self)

    @property
    def hook(self) -> str:
        """The hook point whose values are copied."""
        return f"blocks.{self.layer}.{'attn.z' if self.head is not None else _OUT[self.part]}"


@dataclass(frozen=True)
class Patched:
    """What a head, or a half of a block, found is replaced by other numbers (activation patching).

    Vig et al. 2020, "Investigating Gender Bias in Language Models Using Causal Mediation Analysis", section 3.

    Attributes:
        layer: which layer.
        head: which of its heads; None for the whole `part`.
        part: which half of the block.
        values: float32 [token, channel] of the head, or [token, D] of the part; read-only.
        digest: identifies the values, which equality and hash go by.
    """

    layer: int
    head: int | None
    part: Part
    values: np.ndarray = field(compare=False, repr=False)
    digest: str = field(init=False, default="")

    def __post_init__(self) -> None:
        copied = Copied(self.layer, self.head, self.part)  # the same rules
        object.__setattr__(self, "layer", copied.layer)
        object.__setattr__(self, "head", copied.head)
        try:
            values = array(self.values, "token, channel", "Patched values").astype(np.float32)  # and a copy
        except ArgumentError as error:
            raise EditError(str(error)) from error
        values.flags.writeable = False
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "digest", sha256(repr(values.shape).encode() + values.tobytes()).hexdigest())

    @property
    def target(self) -> tuple:
        """What is edited: the same as `HeadOff` or `LayerOff` edit."""
        return _place(self)


Edit = HeadOff | LayerOff | PatchOff | Temperature | Copied | Patched


def checked(edits: Iterable[Edit], config: ViTConfig, grid: tuple[int, int]) -> tuple[Edit, ...]:
    """The edits, if a model of this shape has what they are about.

    Raises:
        EditError: if it has not, if two edits are about the same thing, or if no patch would be left to look at.
    """
    if not isinstance(edits, Iterable) or getattr(edits, "ndim", 1) == 0:
        raise EditError(f"Edits come in a list, such as edits=[HeadOff(2, 1)], and not as {shown(edits)}.")
    of_kind(config, ViTConfig, "config")
    edits, grid = tuple(edits), checked_grid(grid)
    tokens = config.prefix + grid[0] * grid[1]
    seen = set()
    for edit in edits:
        if not isinstance(edit, Edit):
            raise EditError(
                f"An edit is one of vitviz.analysis.ablation, such as HeadOff(2, 1); {shown(edit)} is no edit."
            )
        if edit.target in seen:
            raise EditError(f"There are two edits of the same {edit.target[0]}; one would undo the other.")
        seen.add(edit.target)
        if isinstance(edit, PatchOff):
            _within(edit.token, config.prefix, tokens, "a patch is a token")
            continue
        _within(edit.layer, 0, config.depth, "a layer is")
        if getattr(edit, "head", None) is not None:
            _within(edit.head, 0, config.heads, "a head is")
        if isinstance(edit, Patched):
            wanted = (tokens, config.width if edit.head is None else config.head_width)
            if edit.values.shape != wanted:
                raise EditError(
                    f"Patched values have to be {list(wanted)} here, [token, channel], not {list(edit.values.shape)}; "
                    "take them from an image with the same grid."
                )
    if sum(edit.how == "keys" for edit in edits if isinstance(edit, PatchOff)) == tokens - config.prefix:
        raise EditError("At least one patch has to stay: a softmax over nothing has no weights.")
    return edits


@typed
def taken_from(edits: Sequence[Edit], values: dict[str, np.ndarray]) -> tuple[Edit, ...]:
    """The same edits, each `Copied` one with the values of another image's pass.

    Args:
        edits: edits of any kind.
        values: what flowed there in the other pass, by hook point, without the batch axis:
            `other.activations(*{edit.hook for edit in edits if isinstance(edit, Copied)})`.

    Raises:
        EditError: if the values of a copied edit are missing.
        IndexError: if they have no such head.
    """

    def filled(edit: Edit) -> Edit:
        if not isinstance(edit, Copied):
            return edit
        if edit.hook not in values:
            raise EditError(f"The values of {edit.hook} are missing; record them in the other image's pass.")
        found = values[edit.hook]
        if edit.head is not None:
            found = array(found, "head, token, channel", "Values")
            found = found[checked_index(edit.head, len(found), "head")]
        return Patched(edit.layer, edit.head, edit.part, found)

    return tuple(map(filled, edits))


_OUT = {"attention": "attn.out", "mlp": "mlp.out"}


def _place(edit: Copied | Patched) -> tuple:
    return ("part", edit.layer, edit.part) if edit.head is None else ("head", edit.layer, edit.head)


def one_of(value: str, kinds: object) -> None:
    """Refuse in a sentence what is none of the words of a `Literal`."""
    choose(value, get_args(kinds), "way or part to edit", EditError)


def _whole(edit: Edit, *names: str) -> None:
    """Make whole numbers of these fields, whichever kind of number they are; `True` is none."""
    for name in names:
        value = getattr(edit, name)
        if not is_whole(value):
            raise EditError(f"A {name} is chosen by a whole number, not {shown(value)}.")
        object.__setattr__(edit, name, index(value))


def _within(value: int, first: int, end: int, what: str) -> None:
    if not first <= value < end:
        raise EditError(f"In this model {what} from {first} to {end - 1}, not {shown(value)}.")
