"""Plain values that training scripts save with the weights: NumPy numbers and arrays, paths, dates, containers.

PyTorch's unpickler creates an object only if its class is in a list of safe classes
(`torch.serialization.safe_globals`). The original classes are not added to that list. Instead, their names are mapped
to the functions below, which convert the pickled data to a number, a string or a container, and run no code that the
file chooses.
"""

import argparse
from collections.abc import Callable
from typing import Any

import numpy as np


class Discarded:
    """Placeholder for a value that is not needed."""

    def __init__(self, *_: Any, **__: Any):
        pass

    def __setstate__(self, state: Any) -> None:
        pass


class _DType:
    """NumPy dtype: its code, such as "f8", and its byte order."""

    def __init__(self, code: Any = "", *_: Any):
        self.code, self.order = str(code), "<"

    def __setstate__(self, state: Any) -> None:
        if isinstance(state, tuple) and len(state) > 1 and state[1] in ("<", ">", "|"):
            self.order = state[1]


def _number(dtype: Any = None, data: Any = b"") -> Any:
    """Convert a NumPy scalar to a Python number; values of other dtypes are discarded."""
    data = data.encode("latin1") if isinstance(data, str) else data
    if not isinstance(dtype, _DType) or not isinstance(data, bytes) or len(dtype.code) > 3:
        return Discarded()
    try:
        kind = np.dtype(dtype.order + dtype.code)
    except TypeError:
        return Discarded()
    return np.frombuffer(data, kind)[0].item() if kind.kind in "biuf" and kind.itemsize == len(data) else Discarded()


def _path(*parts: Any) -> str:
    return "/".join(map(str, parts))


def _mapping(*_: Any) -> dict:
    return {}


def _sequence(items: Any = (), *_: Any) -> list:
    return list(items) if isinstance(items, list | tuple) else []


_BUILTINS = ("list", "dict", "set", "frozenset", "int", "float", "complex", "range", "xrange", "slice")
_FUNCTIONS: dict[str, Callable] = {
    **{f"numpy.{core}.multiarray.scalar": _number for core in ("core", "_core")},
    **{f"numpy.{core}.multiarray._reconstruct": Discarded for core in ("core", "_core")},
    **{f"numpy.{core}.numeric._frombuffer": Discarded for core in ("core", "_core")},
    "numpy.dtype": _DType,
    "numpy.ndarray": Discarded,
    **{f"pathlib.{kind}{system}Path": _path for kind in ("", "Pure") for system in ("Posix", "Windows")},
    **{f"pathlib._local.{kind}{system}Path": _path for kind in ("", "Pure") for system in ("Posix", "Windows")},
    "pathlib.PurePath": _path,
    "pathlib.Path": _path,
    **{f"datetime.{name}": Discarded for name in ("datetime", "date", "time", "timedelta", "timezone")},
    "collections.defaultdict": _mapping,
    "collections.deque": _sequence,
    **{f"{module}.{name}": Discarded for module in ("builtins", "__builtin__") for name in _BUILTINS},
    **{f"numpy.{name}": Discarded for name in ("float16", "float32", "float64", "int32", "int64", "uint8", "bool_")},
    "types.SimpleNamespace": argparse.Namespace,
}

# Argument of `torch.serialization.safe_globals`. A Namespace, in which timm's training script stores its arguments,
# holds only values.
SAFE_GLOBALS: list[Any] = [
    argparse.Namespace,
    *{id(function): function for function in _FUNCTIONS.values()}.values(),
    *((function, name) for name, function in _FUNCTIONS.items()),
]
