"""Notation of edits in links, and labels of edits on screen. Layers, heads and patches count from 1.

| notation             | edit                                                                                |
| -------------------- | ----------------------------------------------------------------------------------- |
| `h3.2z`, `h3.2m`     | ablate layer 3, head 2: zero or mean                                                |
| `l5a`, `l5am`        | ablate the attention of layer 5: zero or mean                                       |
| `l5f`, `l5fm`        | ablate the MLP (feed-forward) of layer 5: zero or mean                              |
| `p2-6k`, `p2-6m`     | patch in row 2, column 6: mask it as a key, or replace it by the mean of patches    |
| `t3.2x0.5`           | layer 3, head 2: divide the scores by a temperature of 0.5                          |
| `c3.2`, `c5a`, `c5f` | patch activations of layer 3, head 2, or the attention or MLP of layer 5            |

Commas separate several edits. Older links number patches row by row, which is also accepted: `p12k`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from ..errors import EditError
from ..errors.arguments import each_of_kind, shown, typed
from ..model.config import ViTConfig
from ..model.edits import (
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
from .marks import format_patch

MAX_EDITS = 500  # in one link, because browsers and servers limit the length of an address
_NUMBER = r"([1-9][0-9]{0,3})"
_KINDS = {
    "h": rf"h{_NUMBER}\.{_NUMBER}([zm])",
    "l": rf"l{_NUMBER}([af])(m?)",
    "p": rf"p{_NUMBER}(?:-{_NUMBER})?([km])",
    "t": rf"t{_NUMBER}\.{_NUMBER}x([0-9]{{1,3}}(?:\.[0-9]{{1,6}})?)",
    "c": rf"c{_NUMBER}(?:\.{_NUMBER}|([af]))",
}
_HOW = {"z": "zero", "m": "mean", "": "zero"}
_PATCH = {"k": KeyMask, "m": PatchAblation}
_SUBLAYER = {"a": "attention", "f": "mlp"}


@typed
def format_edits(edits: Iterable[Edit], config: ViTConfig, grid: tuple[int, int]) -> str:
    """Format edits as text, in their order.

    Args:
        edits: edits to format.
        config: configuration of the model to edit.
        grid: rows and columns of patches.

    Raises:
        EditError: if there are too many, or one of them holds activations (`ActivationPatch`).
    """
    edits = tuple(edits)
    each_of_kind(edits, Edit, "edits")
    if len(edits) > MAX_EDITS:
        raise EditError(f"A link can hold at most {MAX_EDITS} edits, but there are {len(edits)}; remove some.")
    return ",".join(_text(edit, config, grid) for edit in edits)


@typed
def parse_edits(text: str, config: ViTConfig, grid: tuple[int, int]) -> tuple[Edit, ...]:
    """Parse edits from text.

    Args:
        text: text in the notation of `format_edits`.
        config: configuration of the model to edit.
        grid: rows and columns of patches.

    Raises:
        EditError: if the text is not in this notation, or the model does not have such a layer, head or patch.
    """
    if not text:
        return ()
    if text.count(",") >= MAX_EDITS:
        raise EditError(f"A link can hold at most {MAX_EDITS} edits; remove some.")
    edits = []
    for one in text.split(","):
        edit = _edit(one, config, grid)
        try:
            checked([edit], config, grid)
        except EditError as error:
            rows, columns = grid
            raise EditError(
                f"“{one}” does not fit this model, which has {config.depth} layers of {config.num_heads} heads and "
                f"{rows * columns} patches, of which at least one must stay unmasked."
            ) from error
        edits.append(edit)
    return checked(edits, config, grid)


@typed
def edit_label(edit: Edit, config: ViTConfig, grid: tuple[int, int]) -> str:
    """Return the label of an edit, such as `"Layer 3, head 2: ablated (zero)"`."""
    match edit:
        case HeadAblation(layer, head, how):
            return f"Layer {layer + 1}, head {head + 1}: ablated ({_replacement(how)})"
        case SublayerAblation(layer, sublayer, how):
            return f"Layer {layer + 1}, {_sublayer_label(sublayer)}: ablated ({_replacement(how)})"
        case KeyMask(token) | PatchAblation(token):
            row, column = divmod(token - config.num_prefix_tokens, grid[1])
            change = "masked" if isinstance(edit, KeyMask) else "ablated (mean of the patches)"
            return f"Patch ({row + 1}, {column + 1}): {change}"
        case Temperature(layer, head, value):
            effect = "sharper attention" if value < 1 else "more uniform attention" if value > 1 else "no change"
            return f"Layer {layer + 1}, head {head + 1}: temperature {value:g} ({effect})"
        case ActivationCopy(layer, head, sublayer) | ActivationPatch(layer, head, sublayer):
            source = _sublayer_label(sublayer) if head is None else f"head {head + 1}"
            return f"Layer {layer + 1}, {source}: activations from the second image"
    raise EditError(f"{shown(edit)} is not an edit; use a class of vitviz.model.edits.")


def _replacement(how: str) -> str:
    return "zero" if how == "zero" else "mean over the tokens"


def _sublayer_label(sublayer: str) -> str:
    return "MLP" if sublayer == "mlp" else sublayer


def _text(edit: Edit, config: ViTConfig, grid: tuple[int, int]) -> str:
    letters = {name: letter for letter, name in {**_SUBLAYER, "z": "zero", "m": "mean"}.items()}
    match edit:
        case HeadAblation(layer, head, how):
            return f"h{layer + 1}.{head + 1}{letters[how]}"
        case SublayerAblation(layer, sublayer, how):
            return f"l{layer + 1}{letters[sublayer]}{'m' if how == 'mean' else ''}"
        case KeyMask(token) | PatchAblation(token):
            place = format_patch(*divmod(token - config.num_prefix_tokens, grid[1]))
            return f"p{place}{'k' if isinstance(edit, KeyMask) else 'm'}"
        case Temperature(layer, head, value):
            return f"t{layer + 1}.{head + 1}x{f'{value:.6f}'.rstrip('0').rstrip('.')}"
        case ActivationCopy(layer, head, sublayer):
            return f"c{layer + 1}{letters[sublayer] if head is None else f'.{head + 1}'}"
    raise EditError("A link cannot hold an ActivationPatch; use an ActivationCopy.")


def _edit(text: str, config: ViTConfig, grid: tuple[int, int]) -> Edit:
    pattern = _KINDS.get(text[:1])
    match = pattern and re.fullmatch(pattern, text, re.ASCII)
    if not match:
        raise EditError(f"{shown(text, 20)} is not an edit; write for example h3.2z, l5a, p2-6k, t3.2x0.5 or c3.2.")
    parts = match.groups()
    first = int(parts[0]) - 1
    match text[0]:
        case "h":
            return HeadAblation(first, int(parts[1]) - 1, _HOW[parts[2]])
        case "l":
            return SublayerAblation(first, _SUBLAYER[parts[1]], _HOW[parts[2]])
        case "p":
            return _PATCH[parts[2]](config.num_prefix_tokens + _patch(parts[0], parts[1], grid))
        case "t":
            return Temperature(first, int(parts[1]) - 1, float(parts[2]))
    return ActivationCopy(first, int(parts[1]) - 1) if parts[1] else ActivationCopy(first, None, _SUBLAYER[parts[2]])


def _patch(row: str, column: str | None, grid: tuple[int, int]) -> int:
    """Return the patch index of a row and column, or of the patch number in older links; all count from 1 in links.

    A column outside the grid gives an index that is out of range.
    """
    rows, columns = grid
    if column is None:
        return int(row) - 1
    return (int(row) - 1) * columns + int(column) - 1 if int(column) <= columns else rows * columns
