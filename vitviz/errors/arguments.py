"""Checks of the arguments of public functions; each error message is one sentence."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields
from functools import cache, wraps
from inspect import Parameter, signature, unwrap
from numbers import Real
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import numpy as np

from . import ArgumentError, VitvizError

LONGEST = 60  # characters of a value in an error message
LONGEST_PATH = 250  # characters of a file path, of which the end is shown
_TYPE_NAMES = {int: "a whole number", float: "a number", bool: "True or False", str: "a string", NoneType: "None"}
_Function = TypeVar("_Function", bound=Callable)


def typed(function: _Function) -> _Function:
    """Decorate a public function so that it checks its arguments against its annotations.

    NumPy and PyTorch scalars count as numbers; `True` and `False` do not. Items of lists, signatures of functions and
    contents of arrays are not checked; use `each_of_kind` and `array` for these.

    Raises:
        ArgumentError: if an argument is of another type; the message names the argument.
    """
    parameters = signature(function).parameters.items()
    by_position = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
    positional = [name for name, parameter in parameters if parameter.kind in by_position]
    own = {*positional, *(name for name, parameter in parameters if parameter.kind is Parameter.KEYWORD_ONLY)}

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        kinds = _kinds(unwrapped)
        # `Signature.bind` would take longer than many of the functions; what it refuses, the call refuses as well
        for name, value in (*zip(positional, args, strict=False), *kwargs.items()):
            if name in own and (kind := kinds.get(name)) is not None:
                of_kind(value, kind, name)
        return function(*args, **kwargs)

    unwrapped = unwrap(function)

    return call


def of_kind(value: object, kind: Any, name: str, error: type[VitvizError] = ArgumentError) -> None:
    """Check that a value is of a type, such as `int | None`; see `typed`."""
    if not _fits(value, kind):
        raise error(f"The argument {name!r} must be {_type_name(kind)}, not {shown(value)}.")


def with_fields_of(kind: type, data: object, what: str) -> dict:
    """Check that untrusted data is a dictionary with exactly the fields of a dataclass, and return it.

    Raises:
        ArgumentError: if it is not.
    """
    names = [field.name for field in fields(kind)]
    if not isinstance(data, dict) or set(data) != set(names):
        raise ArgumentError(f"{what} must be a dictionary with exactly the keys {', '.join(names)}.")
    return data


def each_of_kind(values: Iterable, kind: Any, name: str) -> None:
    """Check that each of some values is of a type; see `typed`."""
    for value in values:
        if not _fits(value, kind):
            raise ArgumentError(f"Each item of the argument {name!r} must be {_type_name(kind)}, not {shown(value)}.")


def array(
    values: object,
    axes: str,
    what: str,
    *,
    finite: bool = True,
    empty: bool = False,
    error: type[VitvizError] = ArgumentError,
) -> np.ndarray:
    """Convert numbers to an array without changing their dtype, and check its axes.

    Args:
        values: array, or nested lists of numbers.
        axes: names of the axes, such as `"token, D"`; `...` stands for any number of axes.
        what: description of the numbers, for the error message.
        finite: require all numbers to be finite.
        empty: allow an array without numbers.
        error: class of the error to raise.

    Raises:
        ArgumentError: an `error`, if they are not numbers, or do not have these axes.
    """
    try:
        result = np.asarray(values)
    except (ValueError, TypeError, RuntimeError):  # lists of different lengths, a tensor with a graph
        result = np.asarray(None)
    names = axes.split(", ")
    fits = result.ndim >= len(names) - 1 if "..." in names else result.ndim == len(names)
    if result.dtype.kind not in "biuf" or not fits or not (result.size or empty):
        given = f"an array of shape {list(result.shape)}" if result.dtype.kind in "biuf" else shown(values)
        raise error(f"{what} must be a non-empty array of numbers [{axes}], not {given}.")
    if finite and not np.isfinite(result).all():
        raise error(f"{what} must be finite numbers, but some are not.")
    return result


def one_of(value: object, choices: Sequence[str], what: str, kind: type[VitvizError] = ArgumentError) -> str:
    """Check that a value is one of the choices, and return it."""
    if not isinstance(value, str) or value not in choices:
        raise kind(f"There is no {what} {shown(value)}; choose one of {', '.join(choices)}.")
    return value


def whole(value: object, low: int, high: int, what: str) -> int:
    """Check that a value is a whole number from `low` to `high`, and return it as an int."""
    if not is_whole(value) or not low <= operator.index(value) <= high:
        raise ArgumentError(f"{what} must be a whole number from {low} to {high}, not {shown(value)}.")
    return operator.index(value)


def at_least(value: object, low: int, what: str) -> int:
    """Check that a value is a whole number of at least `low`, and return it as an int."""
    if not is_whole(value) or operator.index(value) < low:
        raise ArgumentError(f"{what} must be a whole number of at least {low}, not {shown(value)}.")
    return operator.index(value)


def number(value: object, low: float, high: float, what: str) -> float:
    """Check that a value is a number from `low` to `high`, which may be infinite, and return it as a float."""
    if not is_number(value) or not low <= float(value) <= high:
        ends = f"from {low:g}" + (f" to {high:g}" if math.isfinite(high) else "")
        raise ArgumentError(f"{what} must be a number {ends}, not {shown(value)}.")
    return float(value)


def share(value: object, what: str) -> float:
    """Check that a value is at least 0 and below 1, and return it as a float."""
    if not is_number(value) or not 0 <= float(value) < 1:
        raise ArgumentError(f"{what} must be at least 0 and below 1, not {shown(value)}.")
    return float(value)


def checked_index(value: object, count: int, what: str) -> int:
    """Check an index, and convert a negative one, which counts from the end, to one that counts from 0.

    Raises:
        ArgumentError: if it is not a whole number.
        IndexError: if it is out of range; the message states the valid range.
    """
    if not is_whole(value):
        raise ArgumentError(f"The index of a {what} must be a whole number, not {shown(value)}.")
    position = operator.index(value)
    if not -count <= position < count:
        raise IndexError(
            f"{what} {shown(position)} is out of range: there are {count}, 0 to {count - 1} (or -{count} to -1)."
        )
    return position % count


def checked_grid(grid: object) -> tuple[int, int]:
    """Check that a grid has at least one row and one column, and return (rows, columns)."""
    of_kind(grid, tuple[int, int], "grid")
    rows, columns = grid
    return at_least(rows, 1, "The number of rows"), at_least(columns, 1, "The number of columns")


def is_list(value: object) -> bool:
    """Return True for a sequence that is not text, and for a one-dimensional array or tensor."""
    is_sequence = isinstance(value, Sequence) and not isinstance(value, str | bytes)
    return is_sequence or getattr(value, "ndim", None) == 1


def is_whole(value: object) -> bool:
    """Return True for an integer of Python, NumPy or PyTorch of at most 64 bits that is not a bool."""
    if isinstance(value, bool | np.bool_):
        return False
    try:
        return -(2**63) <= operator.index(value) < 2**63
    except (TypeError, ValueError, RuntimeError):
        return False


def is_number(value: object) -> bool:
    """Return True for a real number of Python, NumPy or PyTorch that fits into a float and is not a bool."""
    if isinstance(value, bool | np.bool_ | str) or getattr(value, "ndim", 0):
        return False
    try:
        float(value)  # fails for very large integers
    except (TypeError, ValueError, RuntimeError, OverflowError):
        return False
    return isinstance(value, Real) or hasattr(value, "ndim")


def shown(value: object, longest: int = LONGEST) -> str:
    """Format a value for an error message, on one line: strings and numbers literally, anything else by its type.

    Args:
        value: any value.
        longest: maximum number of characters; longer text is truncated.
    """
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, int) and abs(value) >= 10**20:  # Python refuses to convert very long integers to text
        return "a number with very many digits"
    if value is None or isinstance(value, bool | int | float | str):
        text = repr(value)
        return text if len(text) <= longest else f"{text[:longest]}…"
    return _with_article(type(value).__name__)


def shown_path(path: object) -> str:
    """Format a file path for an error message; a very long path is truncated at the start."""
    text = str(path)
    return shown(text if len(text) <= LONGEST_PATH else f"…{text[-LONGEST_PATH:]}", 2 * LONGEST_PATH)


@cache
def _kinds(function: Callable) -> dict[str, Any]:
    """Annotated types of the arguments of a function."""
    return get_type_hints(function)


def _fits(value: object, kind: Any) -> bool:
    if kind is int:
        return is_whole(value)
    if kind is float:
        return is_number(value)
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return any(_fits(value, one) for one in inner)
    if origin is Literal:
        return any(type(value) is type(one) and value == one for one in inner)
    if kind in (Any, object) or kind is np.ndarray or isinstance(kind, TypeVar):
        return True
    if kind is bool:
        return isinstance(value, bool | np.bool_)
    if origin is tuple and inner and Ellipsis not in inner:
        given = list(value) if isinstance(value, tuple | list) else []
        return len(given) == len(inner) and all(map(_fits, given, inner))
    if origin is tuple:
        return isinstance(value, tuple | list)
    if origin is not None and (isinstance(value, str | bytes) or getattr(value, "ndim", 1) == 0):
        return False  # a string is not a list of strings, and a number is not a list of numbers
    return isinstance(value, origin or kind)


def _type_name(kind: Any) -> str:
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return " or ".join(dict.fromkeys(map(_type_name, inner)))
    if origin is Literal:
        return f"one of {', '.join(map(repr, inner))}"
    if origin is tuple and inner and Ellipsis not in inner:
        return f"({', '.join(map(_type_name, inner))})"
    if kind in _TYPE_NAMES:
        return _TYPE_NAMES[kind]
    return _with_article((origin or kind).__name__)


def _with_article(name: str) -> str:
    name = {"ndarray": "array", "Callable": "function", "Mapping": "dictionary"}.get(name, name)
    return f"a{'n' * (name[0].lower() in 'aeiou')} {name}"
