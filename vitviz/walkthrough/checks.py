"""Checks of numpy computations against the model's own results."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ..errors import ArgumentError
from ..errors.arguments import each_of_kind, typed
from ..errors.brief import brief

CLOSE = 1e-4  # relative tolerance for another summation order and precision


@brief
@dataclass(frozen=True, eq=False)
class Check:
    """Comparison of one intermediate result, computed in numpy, with the model's.

    Attributes:
        label: name of the result.
        computed: result of the numpy computation, float64; an array or one number.
        model: result of the model, of the same shape.
        among: for one number, the vector that it belongs to (such as all channels of its token), used as the scale of
            the error; a single number may be near 0 by chance.
    """

    label: str
    computed: np.ndarray | float
    model: np.ndarray | float
    among: np.ndarray | None = None

    def __post_init__(self) -> None:
        if np.shape(self.computed) != np.shape(self.model):
            raise ArgumentError(
                f"{self.label} has shape {list(np.shape(self.computed))} in numpy and {list(np.shape(self.model))} in "
                "the model; compare the same values."
            )

    @property
    def error(self) -> float:
        """Largest difference, relative to the largest absolute value of the model's result; 0 if all are 0."""
        difference = np.max(np.abs(np.subtract(self.computed, self.model, dtype=np.float64)))
        size = np.max(np.abs(self.model if self.among is None else self.among))
        return 0.0 if difference == 0 else float(difference / size) if size else float("inf")

    @property
    def holds(self) -> bool:
        """True if both results agree to 1e-4, relative."""
        return self.error <= CLOSE


@typed
def worst(checks: Iterable[Check]) -> Check:
    """Return the check with the largest error; NaN is larger than any number.

    Raises:
        ArgumentError: if there are no checks, or some items are not checks.
    """
    checks = tuple(checks)
    each_of_kind(checks, Check, "checks")
    if not checks:
        raise ArgumentError("There are no checks to compare; give at least one.")
    return max(checks, key=lambda check: float("inf") if np.isnan(check.error) else check.error)
