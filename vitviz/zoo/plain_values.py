"""Plain values that training scripts save with the weights: NumPy numbers and arrays, paths, dates, containers.

PyTorch's unpickler creates an object only if its class is on a list of safe ones (`torch.serialization.safe_globals`).
No real class is added to that list here. Instead, each name on it stands for a function below, which turns the pickled
data into a number, a string or a container, and runs no code that the file chooses.
"""

import argparse
from collections.abc import Callable
from typing import Any

import numpy as np


class Unread:
    """Placeholder for a value that is not needed and was not kept."""

    def __init__(self, *_: Any, **__: Any):
        pass

    def __setstate__(self, state: Any) -> None:
        pass


class _DType:
    """Type of a NumPy number: its code, such as "f8", and its byte order."""

    def __init__(self, code: Any = "", *_: Any):
        self.code, self.order = str(code), "<"

    def __setstate__(self, state: Any) -> None:
        if isinstance(state, tuple) and len(state) > 1 and state[1] in ("<", ">", "|"):
            self.order = state[1]


def _number(dtype: Any = None, data: Any = b"") -> Any:
    """Convert a NumPy number to a Python number; a value that is not a plain number is not kept."""
    data = data.encode("latin1") if isinstance(data, str) else data
    if not isinstance(dtype, _DType) or not isinstance(data, bytes) or len(dtype.code) > 3:
        return Unread()
    try:
        kind = np.dtype(dtype.order + dtype.code)
    except TypeError:
        return Unread()
    return np.frombuffer(data, kind)[0].item() if kind.kind in "biuf" and kind.itemsize == len(data) else Unread()


def _path(*parts: Any) -> str:
    return "/".join(map(str, parts))


def _mapping(*_: Any) -> dict:
    return {}


def _sequence(items: Any = (), *_: Any) -> list:
    return list(items) if isinstance(items, list | tuple) else []


_BUILTINS = ("list", "dict", "set", "frozenset", "int", "float", "complex", "range", "xrange", "slice")
_FUNCTIONS: dict[str, Callable] = {
    **{f"numpy.{core}.multiarray.scalar": _number for core in ("core", "_core")},
    **{f"numpy.{core}.multiarray._reconstruct": Unread for core in ("core", "_core")},
    **{f"numpy.{core}.numeric._frombuffer": Unread for core in ("core", "_core")},
    "numpy.dtype": _DType,
    "numpy.ndarray": Unread,
    **{f"pathlib.{kind}{system}Path": _path for kind in ("", "Pure") for system in ("Posix", "Windows")},
    **{f"pathlib._local.{kind}{system}Path": _path for kind in ("", "Pure") for system in ("Posix", "Windows")},
    "pathlib.PurePath": _path,
    "pathlib.Path": _path,
    **{f"datetime.{name}": Unread for name in ("datetime", "date", "time", "timedelta", "timezone")},
    "collections.defaultdict": _mapping,
    "collections.deque": _sequence,
    **{f"{module}.{name}": Unread for module in ("builtins", "__builtin__") for name in _BUILTINS},
    **{f"numpy.{name}": Unread for name in ("float16", "float32", "float64", "int32", "int64", "uint8", "bool_")},
    "types.SimpleNamespace": argparse.Namespace,
}

# As `torch.serialization.safe_globals` takes them. timm's training script keeps its arguments in a Namespace, which
# holds values and nothing that runs.
STAND_INS: list[Any] = [
    argparse.Namespace,
    *{id(function): function for function in _FUNCTIONS.values()}.values(),
    *((function, name) for name, function in _FUNCTIONS.items()),
]
