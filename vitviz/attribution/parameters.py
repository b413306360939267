"""Refusing, in a sentence each, what cannot be a parameter."""

from collections.abc import Sequence
from numbers import Integral, Real

from ..errors import VitvizError
from ..trace import checked_index


def one_of(value: object, choices: Sequence[str], what: str) -> str:
    """A choice among few; a `VitvizError` if it is none of them."""
    if not isinstance(value, str) or value not in choices:
        raise VitvizError(f"There is no {what} {value!r}; choose one of {', '.join(choices)}.")
    return value


def whole(value: object, low: int, high: int, what: str) -> int:
    """A whole number from `low` to `high`; a `VitvizError` if it is not one."""
    if isinstance(value, bool) or not isinstance(value, Integral) or not low <= value <= high:
        raise VitvizError(f"{what} has to be a whole number from {low} to {high}; this is {value!r}.")
    return int(value)


def share(value: object, what: str) -> float:
    """A number from 0 to below 1; a `VitvizError` if it is not one."""
    if isinstance(value, bool) or not isinstance(value, Real) or not 0 <= value < 1:
        raise VitvizError(f"{what} has to be a number from 0 to below 1; this is {value!r}.")
    return float(value)


def index_of(value: object, count: int, what: str) -> int:
    """An index, which may count from the end; a `VitvizError` or an `IndexError` if it is not one."""
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise VitvizError(f"A {what} is chosen by a whole number; this is {value!r}.")
    return checked_index(value, count, what)
