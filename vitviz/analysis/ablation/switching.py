"""What a click on a part of the model does to a list of edits: one thing at a time is done to a part."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, get_args

from ...errors import EditError
from ...errors.arguments import one_of, typed
from ...model.edits import (
    ActivationCopy,
    Edit,
    HeadAblation,
    KeyMask,
    PatchAblation,
    Sublayer,
    SublayerAblation,
    Temperature,
)

Tool = Literal["zero", "mean", "temperature", "copy"]
PatchMethod = Literal["keys", "mean"]
TOOLS: tuple[Tool, ...] = get_args(Tool)


@typed
def head_edit(tool: Tool, layer: int, head: int, temperature: float) -> Edit:
    """What a tool does to a head."""
    if tool == "temperature":
        return Temperature(layer, head, temperature)
    return ActivationCopy(layer, head) if tool == "copy" else HeadAblation(layer, head, tool)


@typed
def sublayer_edit(tool: Tool, layer: int, sublayer: Sublayer) -> Edit:
    """What a tool does to attention or MLP of a layer.

    Raises:
        EditError: if the tool is for heads only.
    """
    if tool == "temperature":
        raise EditError("Only heads have a temperature.")
    return ActivationCopy(layer, None, sublayer) if tool == "copy" else SublayerAblation(layer, sublayer, tool)


def patch_edit(how: PatchMethod, token: int) -> Edit:
    """Edit that removes a patch: `"keys"` masks it as a key, `"mean"` replaces its embedding by the mean."""
    one_of(how, get_args(PatchMethod), "way to remove a patch", EditError)
    return KeyMask(token) if how == "keys" else PatchAblation(token)


def switched(edits: Iterable[Edit], wanted: Iterable[Edit]) -> tuple[Edit, ...]:
    """The edits with those that are wanted; without them, if all of them are there already."""
    edits, wanted = tuple(edits), tuple(wanted)
    if set(wanted) <= set(edits):
        return tuple(edit for edit in edits if edit not in wanted)
    return replaced(edits, wanted)


def replaced(edits: Iterable[Edit], wanted: Iterable[Edit]) -> tuple[Edit, ...]:
    """The edits, with those that are wanted instead of any others of the same parts."""
    wanted = tuple(wanted)
    parts = set(map(_part, wanted))
    return (*(edit for edit in edits if _part(edit) not in parts), *wanted)


def _part(edit: Edit) -> tuple:
    return ("head", *edit.target[1:]) if isinstance(edit, Temperature) else edit.target
