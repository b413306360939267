"""Rounding for display, such that the displayed terms of a calculation give the displayed result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod

from .strips import number

SHOWN = 4  # decimals of a result
FINEST = 12  # maximum decimals of the terms; double precision has hardly more


def round_consistently(
    parts: Sequence[float], result: float, way: Callable[[Sequence[float]], float] = sum, decimals: int = SHOWN
) -> tuple[list[str], str]:
    """Format terms with the smallest number of decimals for which they give the displayed result.

    Rounded separately, 0.12344 + 0.23454 would be displayed as 0.1234 + 0.2345 = 0.3580, which looks wrong.

    Args:
        parts: terms.
        result: exact result.
        way: function that computes the result from the terms, such as `sum` or `product`.
        decimals: decimals of the result, and minimum decimals of the terms.

    Returns:
        Formatted terms and formatted result.
    """
    finer = decimals_needed([(parts, result)], way, decimals)
    return [number(part, finer) for part in parts], number(result, decimals)


def decimals_needed(
    cases: Sequence[tuple[Sequence[float], float]], way: Callable[[Sequence[float]], float], decimals: int = SHOWN
) -> int:
    """Return the decimals of the terms for which all displayed results are correct; see `round_consistently`."""
    for finer in range(decimals, FINEST):
        if all(
            number(way([round(part, finer) for part in parts]), decimals) == number(result, decimals)
            for parts, result in cases
        ):
            return finer
    return FINEST


def format_sum(parts: Sequence[float], result: float) -> str:
    """Format a sum, rounded consistently: `"0.1234 − 0.0210 = **0.1024**"`."""
    written, shown = round_consistently(parts, result)
    return f"{' + '.join(written).replace('+ −', '− ')} = **{shown}**"


def in_brackets(written: str) -> str:
    """Enclose a negative number in brackets, for use after an operator."""
    return f"({written})" if written.startswith("−") else written


def product(parts: Sequence[float]) -> float:
    """Return the product of the terms, for `round_consistently`."""
    return prod(parts)
