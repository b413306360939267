"""Check: a number that was computed by hand, beside the one that the model computed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ..errors import ArgumentError
from ..errors.arguments import each_of_kind, typed
from ..errors.brief import brief

CLOSE = 1e-4  # within which a sum in another order and another precision counts as the same


@brief
@dataclass(frozen=True, eq=False)
class Check:
    """One stage of a computation, twice: from the ingredients that are shown, and from the running model.

    Attributes:
        what: what was computed, in words.
        by_hand: the numbers from plain numpy, in float64; an array, or one number.
        model: the same numbers as the model had them, of the same shape.
        among: for one number, those that it is one of (such as all channels of its token); they say how large a
            difference is small, which a single number that happens to be near 0 does not.
    """

    what: str
    by_hand: np.ndarray | float
    model: np.ndarray | float
    among: np.ndarray | None = None

    def __post_init__(self) -> None:
        if np.shape(self.by_hand) != np.shape(self.model):
            raise ArgumentError(
                f"{self.what} has shape {list(np.shape(self.by_hand))} by hand and {list(np.shape(self.model))} in the "
                "model; compare the same numbers."
            )

    @property
    def error(self) -> float:
        """The largest difference, relative to the largest of the model's numbers in size; 0 if all are 0."""
        difference = np.max(np.abs(np.subtract(self.by_hand, self.model, dtype=np.float64)))
        size = np.max(np.abs(self.model if self.among is None else self.among))
        return 0.0 if difference == 0 else float(difference / size) if size else float("inf")

    @property
    def holds(self) -> bool:
        """Whether both are the same up to rounding, 1e-4 relative."""
        return self.error <= CLOSE


@typed
def worst(checks: Iterable[Check]) -> Check:
    """The check with the largest error; one that is not a number is worse than any.

    Raises:
        ArgumentError: if there are no checks, or others than checks.
    """
    checks = tuple(checks)
    each_of_kind(checks, Check, "checks")
    if not checks:
        raise ArgumentError("There are no checks to choose the worst of; give at least one.")
    return max(checks, key=lambda check: float("inf") if np.isnan(check.error) else check.error)
