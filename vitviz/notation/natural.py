"""Natural order of names: 2 before 10."""

from __future__ import annotations

import re
from collections.abc import Sequence


def natural_key(parts: Sequence[str]) -> list[list[str | int]]:
    """Return a key that sorts paths, given as their parts, with numbers in their names by value."""
    return [_alternating(part) for part in parts]


def _alternating(text: str) -> list[str | int]:
    """Split text into alternating strings and numbers, starting with a string."""
    return [int(part) if part.isdecimal() else part.casefold() for part in re.split(r"([0-9]+)", text)]
