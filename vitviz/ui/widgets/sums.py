"""Sums on screen that come out when somebody does them again with the digits that are shown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod

from .strips import number

SHOWN = 4  # decimals of a result
FINEST = 12  # decimals of what it is made of; double precision has hardly more


def round_consistently(
    parts: Sequence[float], result: float, way: Callable[[Sequence[float]], float] = sum, decimals: int = SHOWN
) -> tuple[list[str], str]:
    """Write the parts of a sum with as few decimals as it takes for the result to come out of them.

    Rounded one by one, 0.12344 + 0.23454 would stand there as 0.1234 + 0.2345 = 0.3580, and a careful reader would
    find a mistake.

    Args:
        parts: what the result is made of.
        result: the real result.
        way: how it is made of them; `sum` or, for instance, `product`.
        decimals: of the result, and at least of the parts.

    Returns:
        The parts and the result as they stand on screen.
    """
    finer = decimals_needed([(parts, result)], way, decimals)
    return [number(part, finer) for part in parts], number(result, decimals)


def decimals_needed(
    cases: Sequence[tuple[Sequence[float], float]], way: Callable[[Sequence[float]], float], decimals: int = SHOWN
) -> int:
    """With how many decimals all parts have to stand there for all results to come out; see `round_consistently`."""
    for finer in range(decimals, FINEST):
        if all(
            number(way([round(part, finer) for part in parts]), decimals) == number(result, decimals)
            for parts, result in cases
        ):
            return finer
    return FINEST


def format_sum(parts: Sequence[float], result: float) -> str:
    """A sum in words that come out: `"0.1234 − 0.0210 = **0.1024**"`."""
    written, shown = round_consistently(parts, result)
    return f"{' + '.join(written).replace('+ −', '− ')} = **{shown}**"


def in_brackets(written: str) -> str:
    """A number behind a sign: in brackets if it has one of its own."""
    return f"({written})" if written.startswith("−") else written


def product(parts: Sequence[float]) -> float:
    """What the parts make when they are multiplied, for `round_consistently`."""
    return prod(parts)
