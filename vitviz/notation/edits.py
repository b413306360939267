"""Edits as a short text, for links, and in words, for people. Everything counts from 1, as on screen.

| text            | edit                                                                          |
| --------------- | ----------------------------------------------------------------------------- |
| `h3.2z`, `h3.2m`| layer 3, head 2: off, its z zero or the mean                                  |
| `l5a`, `l5am`   | layer 5: attention off, zero or the mean                                      |
| `l5f`, `l5fm`   | layer 5: MLP (feed-forward) off, zero or the mean                             |
| `p2-6k`, `p2-6m`| patch in row 2, column 6: hidden, or the mean of the patches                  |
| `t3.2x0.5`      | layer 3, head 2: scores divided by 0.5                                        |
| `c3.2`, `c5a`, `c5f` | layer 3, head 2; attention or MLP of layer 5: copied from the second image |

Several are separated by commas. Older links count patches row by row: `p12k` is understood, too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from ..errors import EditError
from ..errors.arguments import each_of_kind, shown, typed
from ..model.config import ViTConfig
from ..model.edits import Copied, Edit, HeadOff, LayerOff, Patched, PatchOff, Temperature, checked
from .marks import patch_mark

MOST = 500  # edits in a text: browsers and servers do not take addresses of any length
_NUMBER = r"([1-9][0-9]{0,3})"
_KINDS = {
    "h": rf"h{_NUMBER}\.{_NUMBER}([zm])",
    "l": rf"l{_NUMBER}([af])(m?)",
    "p": rf"p{_NUMBER}(?:-{_NUMBER})?([km])",
    "t": rf"t{_NUMBER}\.{_NUMBER}x([0-9]{{1,3}}(?:\.[0-9]{{1,6}})?)",
    "c": rf"c{_NUMBER}(?:\.{_NUMBER}|([af]))",
}
_HOW = {"z": "zero", "m": "mean", "": "zero"}
_HOW_PATCH = {"k": "keys", "m": "mean"}
_PART = {"a": "attention", "f": "mlp"}


@typed
def to_text(edits: Iterable[Edit], config: ViTConfig, grid: tuple[int, int]) -> str:
    """Edits as a text, in their order.

    Args:
        edits: which.
        config: the shape of the model that they are for.
        grid: rows and columns of patches.

    Raises:
        EditError: if one of them carries numbers, or there are too many.
    """
    edits = tuple(edits)
    each_of_kind(edits, Edit, "edits")
    if len(edits) > MOST:
        raise EditError(f"A link holds at most {MOST} edits; these are {len(edits)}.")
    return ",".join(_text(edit, config, grid) for edit in edits)


@typed
def from_text(text: str, config: ViTConfig, grid: tuple[int, int]) -> tuple[Edit, ...]:
    """The edits that a text names.

    Args:
        text: what `to_text` writes or has written, and nothing else.
        config: the shape of the model that they are for.
        grid: rows and columns of patches.

    Raises:
        EditError: if it is not such a text, or the model has not what it names; one sentence.
    """
    if not text:
        return ()
    if text.count(",") >= MOST:
        raise EditError(f"A link holds at most {MOST} edits.")
    edits = []
    for one in text.split(","):
        edit = _edit(one, config, grid)
        try:
            checked([edit], config, grid)
        except EditError as error:
            rows, columns = grid
            raise EditError(
                f"“{one}” is about something that this model does not have: it has {config.depth} layers of "
                f"{config.heads} heads, and {rows * columns} patches of which one has to stay."
            ) from error
        edits.append(edit)
    return checked(edits, config, grid)


@typed
def in_words(edit: Edit, config: ViTConfig, grid: tuple[int, int]) -> str:
    """An edit in words, such as `"Layer 3, head 2: off (zero)"`."""
    match edit:
        case HeadOff(layer, head, how):
            return f"Layer {layer + 1}, head {head + 1}: off ({_instead(how)})"
        case LayerOff(layer, part, how):
            return f"Layer {layer + 1}, {_name(part)}: off ({_instead(how)})"
        case PatchOff(token, how):
            row, column = divmod(token - config.prefix, grid[1])
            lost = "hidden" if how == "keys" else "mean of the patches"
            return f"Patch ({row + 1}, {column + 1}): off ({lost})"
        case Temperature(layer, head, value):
            looks = "more sharply" if value < 1 else "more evenly" if value > 1 else "as before"
            return f"Layer {layer + 1}, head {head + 1}: temperature {value:g} (it looks {looks})"
        case Copied(layer, head, part) | Patched(layer, head, part):
            what = _name(part) if head is None else f"head {head + 1}"
            return f"Layer {layer + 1}, {what}: copied from the second image"
    raise EditError(f"An edit is one of vitviz.analysis.ablation; {shown(edit)} is no edit.")


def _instead(how: str) -> str:
    return "zero" if how == "zero" else "mean over the tokens"


def _name(part: str) -> str:
    return "MLP" if part == "mlp" else part


def _text(edit: Edit, config: ViTConfig, grid: tuple[int, int]) -> str:
    letters = {word: letter for letter, word in {**_PART, **_HOW_PATCH, "z": "zero"}.items()}
    match edit:
        case HeadOff(layer, head, how):
            return f"h{layer + 1}.{head + 1}{letters[how]}"
        case LayerOff(layer, part, how):
            return f"l{layer + 1}{letters[part]}{'m' if how == 'mean' else ''}"
        case PatchOff(token, how):
            return f"p{patch_mark(*divmod(token - config.prefix, grid[1]))}{letters[how]}"
        case Temperature(layer, head, value):
            return f"t{layer + 1}.{head + 1}x{f'{value:.6f}'.rstrip('0').rstrip('.')}"
        case Copied(layer, head, part):
            return f"c{layer + 1}{letters[part] if head is None else f'.{head + 1}'}"
    raise EditError("Only edits that carry no numbers fit into a link.")


def _edit(text: str, config: ViTConfig, grid: tuple[int, int]) -> Edit:
    pattern = _KINDS.get(text[:1])
    found = pattern and re.fullmatch(pattern, text, re.ASCII)
    if not found:
        raise EditError(f"“{text[:20]}” is no edit; write such as h3.2z, l5a, p2-6k, t3.2x0.5 or c3.2.")
    parts = found.groups()
    first = int(parts[0]) - 1
    match text[0]:
        case "h":
            return HeadOff(first, int(parts[1]) - 1, _HOW[parts[2]])
        case "l":
            return LayerOff(first, _PART[parts[1]], _HOW[parts[2]])
        case "p":
            return PatchOff(config.prefix + _patch(parts[0], parts[1], grid), _HOW_PATCH[parts[2]])
        case "t":
            return Temperature(first, int(parts[1]) - 1, float(parts[2]))
    return Copied(first, int(parts[1]) - 1) if parts[1] else Copied(first, None, _PART[parts[2]])


def _patch(row: str, column: str | None, grid: tuple[int, int]) -> int:
    """The number of a patch from 0: of one that is named by row and column, or in older links by its number alone.

    One that the grid does not have gets a number that no patch has.
    """
    rows, columns = grid
    if column is None:
        return int(row) - 1
    return (int(row) - 1) * columns + int(column) - 1 if int(column) <= columns else rows * columns
