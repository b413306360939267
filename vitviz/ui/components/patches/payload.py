"""What the patch picker in the browser gets, and what it may answer."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from ....notation.marks import percent
from ....notation.view import Scale
from ....viz.colour import OPACITY, colour_bar_labels, overlay_map, tone
from ....viz.inline import data_url, text
from .._shared import whole_number

Role = Literal["query", "key"]
Patch = tuple[int, int]  # row and column, from 0


@dataclass(frozen=True, eq=False)
class Overlay:
    """A map over the picture, one number a patch, with all that makes it readable.

    Attributes:
        values: float32 [rows, columns].
        caption: one line that says which layer, head, query and normalisation this is.
        scale: how numbers become colours, as in `vitviz.viz.colour.tone`.
        signed: whether values may be negative; then 0 is the middle of the colours.
        tokens: how many tokens a row of weights is spread over; only the scale "uniform" asks.
        largest: what the scale "relative" divides by; the largest of `values` in size if None.
        lowest: where the colours of the scale "relative" begin, for values far from 0 that differ little.
        say: how a value is written in the status line and at the ends of the colour bar.
        opacity: 0 shows the picture alone, 1 hides it where a value has its full colour.

    Raises:
        ValueError: if `values` are not finite numbers, or negative where that cannot be drawn.
    """

    values: np.ndarray
    caption: str
    scale: Scale = "relative"
    signed: bool = False
    tokens: int = 1
    largest: float | None = None
    lowest: float = 0.0
    say: Callable[[float], str] = percent
    opacity: float = OPACITY

    def __post_init__(self) -> None:
        if not np.isfinite(self.values).all():
            raise ValueError("Only finite numbers have a colour.")
        if not self.signed and (self.values < min(self.lowest, 0.0)).any():
            raise ValueError("A map of numbers with signs would hide them: pass signed=True.")
        if self.lowest and (self.signed or self.scale != "relative" or (self.values < self.lowest).any()):
            raise ValueError("Colours can begin elsewhere than at 0 only on the scale “share”, below all values.")

    def tones(self) -> np.ndarray:
        """Place of the values in the table of colours, uint8 [rows, columns]; rounded as `vitviz.viz.colour.paint`."""
        largest = None if self.largest is None else self.largest - self.lowest
        tones = tone(self.values - self.lowest, self.scale, self.tokens, largest, self.signed)
        return np.round(tones * 255).astype(np.uint8)

    def ends(self) -> tuple[str, str]:
        """What the two ends of the colour bar mean, in words."""
        if self.scale == "uniform":
            return colour_bar_labels(self.values, self.scale, self.signed)
        of_share = self._largest()
        high = of_share if self.scale == "relative" else 1.0
        if self.lowest:
            return self.say(self.lowest), self.say(high)
        return self.say(-high) if self.signed else "0", self.say(high)

    def _largest(self) -> float:
        if self.largest is not None:
            return self.largest
        return float(self.values.max()) if self.lowest else float(np.abs(self.values).max())

    def payload(self) -> dict:
        """The map as the browser draws it."""
        low, high = self.ends()
        return {
            "tones": text(self.tones().tobytes()),
            "colours": text(overlay_map(self.scale, self.signed).tobytes()),
            "words": [self.say(float(value)) for value in self.values.flat],
            "low": low,
            "high": high,
            "caption": self.caption,
            "signed": self.signed,
            "opacity": self.opacity,
        }


def payload(
    picture: bytes,
    picture_name: str,
    grid: tuple[int, int],
    chosen: Patch | None,
    second: Patch | None = None,
    choosing: Role = "query",
    overlay: Overlay | None = None,
    exploded: bool = False,
    switching: bool = False,
) -> dict:
    """Everything that the picker shows; see `patch_picker` for the arguments. Equal arguments give equal payloads.

    Raises:
        ValueError: if a patch is not in the grid, or the overlay or the role does not fit.
    """
    if choosing not in get_args(Role):
        raise ValueError(f"One chooses {' or '.join(get_args(Role))}, not {choosing!r}.")
    if overlay is not None and overlay.values.shape != tuple(grid):
        raise ValueError(f"A map of shape {overlay.values.shape} does not fit a grid of {tuple(grid)}.")
    return {
        "picture": data_url(picture),
        "picture_name": picture_name,
        "grid": [int(count) for count in grid],
        "chosen": _within(chosen, grid),
        "second": _within(second, grid),
        "choosing": choosing,
        "overlay": overlay and overlay.payload(),
        "exploded": bool(exploded),
        "switching": bool(switching),
    }


def read_choice(message: object, grid: tuple[int, int], roles: Collection[str]) -> tuple[Role, int, int]:
    """What a browser says was chosen: role, row and column.

    Raises:
        ValueError: if it is not a patch of this grid, or not in one of these roles. Anybody can send a message; and a
            patch of the grid that was shown before would be another one here.
    """
    if not isinstance(message, dict) or set(message) != {"role", "row", "column", "grid"}:
        raise ValueError("not a choice of a patch")
    if message["grid"] != list(grid):
        raise ValueError("a patch of another grid")
    role, patch = message["role"], (message["row"], message["column"])
    if not isinstance(role, str) or role not in roles:
        raise ValueError("nothing of this role is chosen here")
    row, column = (whole_number(value) for value in patch)
    if not (0 <= row < grid[0] and 0 <= column < grid[1]):
        raise ValueError(f"no such patch in a grid of {grid[0]} x {grid[1]}")
    return role, row, column


def _within(patch: Patch | None, grid: tuple[int, int]) -> list[int] | None:
    if patch is None:
        return None
    if not all(0 <= at < count for at, count in zip(patch, grid, strict=True)):
        raise ValueError(f"There is no patch {tuple(patch)} in a grid of {tuple(grid)}.")
    return [int(at) for at in patch]
