"""Payload of the patch picker, and validation of its messages."""

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


@dataclass(frozen=True)
class Factor:
    """Factor of a dot product with each patch, drawn before the value, as in "patch · filter = 0.5".

    Attributes:
        picture: PNG of the factor.
        name: caption of the picture.
    """

    picture: bytes
    name: str


@dataclass(frozen=True, eq=False)
class Overlay:
    """Map over the picture, with one value per patch.

    Attributes:
        values: float32 [rows, columns].
        caption: one line with the layer, head, query and normalisation.
        scale: colour scale, as in `vitviz.viz.colour.tone`.
        signed: whether values may be negative; 0 is then the middle of the colour map.
        tokens: number of tokens over which a row of weights is distributed; used by the scale "uniform".
        largest: divisor of the scale "relative"; the largest absolute value if None.
        lowest: start of the colours of the scale "relative", for values far from 0 that differ little.
        format: formatter of values in the status line and at the ends of the colour bar.
        opacity: overlay opacity, from 0 (invisible) to 1 (opaque at full colour).
        factor: what each patch is multiplied by, if the values are dot products; the picker is then small.

    Raises:
        ValueError: if `values` are not finite, or negative although `signed` is False.
    """

    values: np.ndarray
    caption: str
    scale: Scale = "relative"
    signed: bool = False
    tokens: int = 1
    largest: float | None = None
    lowest: float = 0.0
    format: Callable[[float], str] = percent
    opacity: float = OPACITY
    factor: Factor | None = None

    def __post_init__(self) -> None:
        if not np.isfinite(self.values).all():
            raise ValueError("The values of an overlay must be finite.")
        if not self.signed and (self.values < min(self.lowest, 0.0)).any():
            raise ValueError("An overlay with negative values requires signed=True.")
        if self.lowest and (self.signed or self.scale != "relative" or (self.values < self.lowest).any()):
            raise ValueError("lowest requires the scale “relative” without signs, and must not exceed any value.")

    def tones(self) -> np.ndarray:
        """Return colour map indices, uint8 [rows, columns], rounded as in `vitviz.viz.colour.paint`."""
        largest = None if self.largest is None else self.largest - self.lowest
        tones = tone(self.values - self.lowest, self.scale, self.tokens, largest, self.signed)
        return np.round(tones * 255).astype(np.uint8)

    def ends(self) -> tuple[str, str]:
        """Return the labels of the two ends of the colour bar."""
        if self.scale == "uniform":
            return colour_bar_labels(self.values, self.scale, self.signed)
        high = self._largest() if self.scale == "relative" else 1.0
        if self.lowest:
            return self.format(self.lowest), self.format(high)
        return self.format(-high) if self.signed else "0", self.format(high)

    def _largest(self) -> float:
        if self.largest is not None:
            return self.largest
        return float(self.values.max()) if self.lowest else float(np.abs(self.values).max())

    def payload(self) -> dict:
        """Return the overlay as sent to the browser."""
        low, high = self.ends()
        return {
            "tones": text(self.tones().tobytes()),
            "colours": text(overlay_map(self.scale, self.signed).tobytes()),
            "labels": [self.format(float(value)) for value in self.values.flat],
            "low": low,
            "high": high,
            "caption": self.caption,
            "signed": self.signed,
            "opacity": self.opacity,
            "factor": self.factor and {"picture": data_url(self.factor.picture), "name": self.factor.name},
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
    """Return the state of the picker; see `patch_picker` for the arguments. Equal arguments give equal payloads.

    Raises:
        ValueError: if a patch is outside the grid, the overlay has another shape, or the role is unknown.
    """
    if choosing not in get_args(Role):
        raise ValueError(f"choosing must be {' or '.join(get_args(Role))}, not {choosing!r}.")
    if overlay is not None and overlay.values.shape != tuple(grid):
        raise ValueError(f"An overlay of shape {overlay.values.shape} does not match the grid {tuple(grid)}.")
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
    """Parse a choice sent by a browser: role, row and column.

    Raises:
        ValueError: if the message is invalid, belongs to another grid, or has another role.
    """
    if not isinstance(message, dict) or set(message) != {"role", "row", "column", "grid"}:
        raise ValueError("not a choice of a patch")
    if message["grid"] != list(grid):
        raise ValueError("a patch of another grid")
    role, patch = message["role"], (message["row"], message["column"])
    if not isinstance(role, str) or role not in roles:
        raise ValueError("not a role of this picker")
    row, column = (whole_number(value) for value in patch)
    if not (0 <= row < grid[0] and 0 <= column < grid[1]):
        raise ValueError(f"no such patch in a grid of {grid[0]} x {grid[1]}")
    return role, row, column


def _within(patch: Patch | None, grid: tuple[int, int]) -> list[int] | None:
    if patch is None:
        return None
    if not all(0 <= at < count for at, count in zip(patch, grid, strict=True)):
        raise ValueError(f"The patch {tuple(patch)} is outside the grid {tuple(grid)}.")
    return [int(at) for at in patch]
