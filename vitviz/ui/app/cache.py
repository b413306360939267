"""One cache for all visitors, bounded in bytes.

What a page computes follows from what is looked at, and how. So whoever asks first has it made, and it stays until more
recent results need its place. It is no cache of Streamlit's: those count entries, whatever their size, and a message
from any browser can have them emptied.
"""

from __future__ import annotations

import os
import re
import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Hashable, Iterable, Mapping, Set
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

from ...errors import VitvizError
from ...errors.arguments import shown
from .turns import one_at_a_time

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
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()

    def get(self, key: tuple, default: Any = None) -> Any:
        """The result; the default if it was not made, or is forgotten."""
        with self._lock:
            if key not in self._results:
                return default
            self._results.move_to_end(key)
            return self._results[key][0]

    def put(self, key: tuple, result: Any, share: float = 1.0) -> None:
        """Keep a result, and forget those that nobody has asked for the longest.

        Args:
            key: what identifies it; its first two parts tell the kind.
            result: what is kept.
            share: of all bytes, how many may be of this kind; the last one stays, however large.
        """
        size = size_of(result)
        with self._lock:
            self._drop(key)
            if size > self.most:
                return
            if share < 1:
                alike = {other: bytes_ for other, (_, bytes_) in self._results.items() if other[:2] == key[:2]}
                self._drop_first(alike, sum(alike.values()) + size - share * self.most)
            self._results[key] = result, size
            self.size += size
            self._drop_first(self._results, self.size - self.most)

    def made(self, key: tuple, make: Callable[[], Any], share: float = 1.0) -> Any:
        """The result, which is made if it is not there; by one thread, while others who ask wait for it.

        Who has the turn at the processor does not wait for somebody who may need it, and makes the result itself.
        """
        found = self.get(key, _MISSING)
        if found is not _MISSING:
            return found
        if one_at_a_time.is_mine():
            return self._make(key, make, share)
        with self._lock:
            making = self._making.setdefault(key, _Making())
            making.askers += 1
        try:
            with making.lock:
                found = self.get(key, _MISSING)
                return self._make(key, make, share) if found is _MISSING else found
        finally:
            with self._lock:
                making.askers -= 1
                if not making.askers:
                    del self._making[key]

    def figures(self) -> tuple[dict[str, int], dict[str, int]]:
        """Bytes that the results take, and how many were made so far; both by kind."""
        sizes: Counter[str] = Counter()
        with self._lock:
            for key, (_, size) in self._results.items():
                sizes[_kind(key)] += size
            return dict(sizes), dict(self._counts)

    def forget(self, words: Set[Hashable]) -> None:
        """Forget all results in whose keys one of these occurs, such as the digest of an image."""
        with self._lock:
            for key in [key for key in self._results if _holds(key, words)] if words else ():
                self._drop(key)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._results.clear()
            self.size = 0

    def __len__(self) -> int:
        return len(self._results)

    def _make(self, key: tuple, make: Callable[[], Any], share: float) -> Any:
        found = make()
        with self._lock:
            self._counts[_kind(key)] += 1
        self.put(key, found, share)
        return found

    def _drop_first(self, keys: Iterable[tuple], excess: float) -> None:
        for key in list(keys) if excess > 0 else ():
            if excess <= 0:
                return
            excess -= self._results[key][1]
            self._drop(key)

    def _drop(self, key: tuple) -> None:
        _, size = self._results.pop(key, (None, 0))
        self.size -= size


def _kind(key: tuple) -> str:
    """The first parts of a key in one word: a function with its module, or a kind of slow work."""
    return ".".join(part for part in key[:2] if isinstance(part, str))


def _holds(key: object, words: Set[Hashable]) -> bool:
    return any(_holds(part, words) for part in key) if isinstance(key, tuple) else key in words


def size_of(result: object) -> int:
    """Bytes of the arrays, pictures and texts in a result, and some for each object.

    A model does not count: how many there are is for `vitviz.zoo.ModelCache` to decide, and no result should hold one.
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
        is_view = isinstance(one.base, np.ndarray | Tensor)
        return (0, [one.base]) if is_view else (one.nbytes, [])  # a view keeps all of it
    if isinstance(one, Tensor):
        return one.untyped_storage().nbytes(), []
    if isinstance(one, Image.Image):
        return one.width * one.height * (1 if len(one.getbands()) == 1 else 4), []  # Pillow pads RGB to 4 bytes
    if isinstance(one, Mapping):
        return 0, [*one.keys(), *one.values()]
    if isinstance(one, list | tuple | set | frozenset):
        return 0, list(one)
    if is_dataclass(one) and not isinstance(one, type):
        return 0, [getattr(one, part.name) for part in fields(one)]
    return 0, []


def _bytes() -> int:
    said = os.environ.get(VARIABLE) or str(MEGABYTES)
    if not re.fullmatch("[0-9]{3,9}", said):
        raise VitvizError(f"{VARIABLE} is {shown(said)}; set it to a whole number of megabytes of at least 100.")
    return 1_000_000 * int(said)


shared = Cache(int(0.9 * _bytes()))
results = Cache(int(0.1 * _bytes()))  # of slow work: they are small, and passes of a second should not push them out


def clear() -> None:
    """Forget everything."""
    for cache in (shared, results):
        cache.clear()


def forget(words: Set[Hashable]) -> None:
    """Forget all in whose keys one of these occurs, such as the digest of an image."""
    for cache in (shared, results):
        cache.forget(words)


def cached(words: str = "", share: float = 1.0) -> Callable[[Callable], Callable]:
    """Keep what a function returns, by the function and its arguments.

    An argument whose name begins with `_` follows from the others, so it is no part of what identifies the result.

    Args:
        words: what the visitor who waits for it reads; nothing if empty.
        share: of all that the cache keeps, how much may be of this function: little for what is large, and asked for
            only to make something else of it.
    """

    def decorate(make: Callable) -> Callable:
        arguments = signature(make)

        @wraps(make)
        def found(*given: Any) -> Any:
            bound = arguments.bind(*given)
            bound.apply_defaults()
            identify = (value for name, value in bound.arguments.items() if not name.startswith("_"))

            key = (make.__module__, make.__qualname__, *identify)
            ready = shared.get(key, _MISSING)
            if ready is not _MISSING:
                return ready
            with _said(words):  # its end hears of a click and cuts the run short: the result is kept by then
                return shared.made(key, lambda: make(*given), share)

        return found

    return decorate


def _said(words: str):
    """A spinner, where there is a page to show it on."""
    return st.spinner(words) if words and get_script_run_ctx(suppress_warning=True) else nullcontext()
