"""Tools that turn a click on a part of the model into edits, with at most one edit per part."""

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
    """Return the edit that a tool makes to a head."""
    if tool == "temperature":
        return Temperature(layer, head, temperature)
    return ActivationCopy(layer, head) if tool == "copy" else HeadAblation(layer, head, tool)


@typed
def sublayer_edit(tool: Tool, layer: int, sublayer: Sublayer) -> Edit:
    """Return the edit that a tool makes to a sublayer.

    Raises:
        EditError: if the tool applies to heads only.
    """
    if tool == "temperature":
        raise EditError("Only heads have a temperature.")
    return ActivationCopy(layer, None, sublayer) if tool == "copy" else SublayerAblation(layer, sublayer, tool)


def patch_edit(how: PatchMethod, token: int) -> Edit:
    """Return the edit that removes a patch: `"keys"` masks it as a key, `"mean"` replaces its embedding by the mean."""
    one_of(how, get_args(PatchMethod), "way to remove a patch", EditError)
    return KeyMask(token) if how == "keys" else PatchAblation(token)


def toggle_edits(edits: Iterable[Edit], new: Iterable[Edit]) -> tuple[Edit, ...]:
    """Add new edits to a list, in place of others on the same parts; if all are in the list, remove them instead."""
    edits, new = tuple(edits), tuple(new)
    if set(new) <= set(edits):
        return tuple(edit for edit in edits if edit not in new)
    return replace_edits(edits, new)


def replace_edits(edits: Iterable[Edit], new: Iterable[Edit]) -> tuple[Edit, ...]:
    """Add new edits to a list, in place of others on the same parts."""
    new = tuple(new)
    parts = set(map(_part, new))
    return (*(edit for edit in edits if _part(edit) not in parts), *new)


def _part(edit: Edit) -> tuple:
    return ("head", *edit.target[1:]) if isinstance(edit, Temperature) else edit.target
