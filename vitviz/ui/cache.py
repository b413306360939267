"""One cache for all visitors, bounded in bytes.

What a page computes follows from what is looked at, and how. So whoever asks first has it made, and it stays until more
recent results need its place. It is no cache of Streamlit's: those count entries, whatever their size, and a message
from any browser can have them emptied.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field, fields, is_dataclass
from functools import wraps
from inspect import signature
from typing import Any

import numpy as np
import streamlit as st
from PIL import Image
from streamlit.runtime.scriptrunner import get_script_run_ctx
from torch import Tensor, nn

VARIABLE = "VITVIZ_CACHE_MB"
MEGABYTES = 1000  # some hundred passes at 224 px, or thirty photos of twelve megapixels
_ENTRY = 200  # bytes that any object takes, about
_MISSING = object()


@dataclass
class _Making:
    """A result that is being made, and how many wait for it."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    askers: int = 0


class Cache:
    """The results that were asked for most recently, as many as fit; for all threads.

    Args:
        most: bytes of all results together. A larger one is made and returned, and not kept.
    """

    def __init__(self, most: int):
        self.most, self.size = most, 0
        self._results: OrderedDict[tuple, tuple[Any, int]] = OrderedDict()
        self._making: dict[tuple, _Making] = {}
        self._lock = threading.Lock()

    def get(self, key: tuple, default: Any = None) -> Any:
        """The result; the default if it was not made, or is forgotten."""
        with self._lock:
            if key not in self._results:
                return default
            self._results.move_to_end(key)
            return self._results[key][0]

    def put(self, key: tuple, result: Any) -> None:
        """Keep a result, and forget those that nobody has asked for the longest."""
        size = size_of(result)
        with self._lock:
            self._drop(key)
            if size > self.most:
                return
            self._results[key] = result, size
            self.size += size
            while self.size > self.most:
                self._drop(next(iter(self._results)))

    def made(self, key: tuple, make: Callable[[], Any]) -> Any:
        """The result, which is made if it is not there; by one thread, while others who ask wait for it."""
        found = self.get(key, _MISSING)
        if found is not _MISSING:
            return found
        with self._lock:
            making = self._making.setdefault(key, _Making())
            making.askers += 1
        try:
            with making.lock:
                found = self.get(key, _MISSING)
                if found is _MISSING:
                    found = make()
                    self.put(key, found)
                return found
        finally:
            with self._lock:
                making.askers -= 1
                if not making.askers:
                    del self._making[key]

    def forget(self, word: Hashable) -> None:
        """Forget all results in whose keys this occurs, such as the digest of an image."""
        with self._lock:
            for key in [key for key in self._results if _occurs(word, key)]:
                self._drop(key)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._results.clear()
            self.size = 0

    def __len__(self) -> int:
        return len(self._results)

    def _drop(self, key: tuple) -> None:
        _, size = self._results.pop(key, (None, 0))
        self.size -= size


def _occurs(word: Hashable, key: object) -> bool:
    return any(_occurs(word, part) for part in key) if isinstance(key, tuple) else key == word


def size_of(result: object) -> int:
    """Bytes of the arrays, pictures and texts in a result, and some for each object.

    A model does not count: how many there are is for `vitviz.zoo.ModelShelf` to decide, and no result should hold one.
    """
    seen, found, total = set(), [result], 0
    while found:
        one = found.pop()
        if id(one) in seen or isinstance(one, nn.Module):
            continue
        seen.add(id(one))
        size, parts = _measured(one)
        total += _ENTRY + size
        found += parts
    return total


def _measured(one: object) -> tuple[int, list[object]]:
    """Bytes of an object itself, and the objects that it holds."""
    if isinstance(one, bytes | bytearray | str):
        return len(one), []
    if isinstance(one, np.ndarray):
        return (0, [one.base]) if isinstance(one.base, np.ndarray) else (one.nbytes, [])  # a view keeps all of it
    if isinstance(one, Tensor):
        return one.untyped_storage().nbytes(), []
    if isinstance(one, Image.Image):
        return one.width * one.height * len(one.getbands()), []
    if isinstance(one, Mapping):
        return 0, [*one.keys(), *one.values()]
    if isinstance(one, list | tuple | set | frozenset):
        return 0, list(one)
    if is_dataclass(one) and not isinstance(one, type):
        return 0, [getattr(one, part.name) for part in fields(one)]
    return 0, []


shared = Cache(1_000_000 * int(os.environ.get(VARIABLE) or MEGABYTES))


def cached(words: str = "") -> Callable[[Callable], Callable]:
    """Keep what a function returns, by the function and its arguments.

    An argument whose name begins with `_` follows from the others, so it is no part of what identifies the result.

    Args:
        words: what the visitor who waits for it reads; nothing if empty.
    """

    def decorate(make: Callable) -> Callable:
        arguments = signature(make)

        @wraps(make)
        def found(*given: Any) -> Any:
            bound = arguments.bind(*given)
            bound.apply_defaults()
            identify = (value for name, value in bound.arguments.items() if not name.startswith("_"))

            def work() -> Any:
                with _said(words):
                    return make(*given)

            return shared.made((make.__module__, make.__qualname__, *identify), work)

        return found

    return decorate


def _said(words: str):
    """A spinner, where there is a page to show it on."""
    return st.spinner(words) if words and get_script_run_ctx(suppress_warning=True) else nullcontext()
