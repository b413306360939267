"""Result of one check of an installation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

Status = Literal["ok", "warning", "failure"]


@dataclass(frozen=True)
class Check:
    """Result of one check.

    Attributes:
        name: name of the check.
        status: `"failure"` if a part of vitviz cannot work, `"warning"` if something may be missed.
        facts: measured facts, JSON-serialisable.
        summary: sentence on the facts.
        advice: sentence on what to do; empty if nothing is to be done.
    """

    name: str
    status: Status
    facts: Mapping[str, Any]
    summary: str
    advice: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return the result as a JSON-serialisable dictionary."""
        return asdict(self)
