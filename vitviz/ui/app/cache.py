"""Cache shared by all users, bounded in bytes.

Results of pages depend only on the image, the model and settings. They are computed at the first request, and evicted
in least recently used order. Streamlit's caches are not used: they are bounded by the number of entries, whatever their
size, and a message from any browser can clear them.
"""

from __future__ import annotations

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

from ...notation import variables
from .turns import one_at_a_time

_OVERHEAD = 200  # approximate bytes of any object
_MISSING = object()


@dataclass
class _Making:
    """Result that is being computed, with the number of waiting threads."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    waiting: int = 0


class Cache:
    """Thread-safe cache of the most recently used results.

    Args:
        most: maximum bytes of all results together. A larger result is returned but not stored.
    """

    def __init__(self, most: int):
        self.most, self.size = most, 0
        self._results: OrderedDict[tuple, tuple[Any, int]] = OrderedDict()
        self._making: dict[tuple, _Making] = {}
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()

    def get(self, key: tuple, default: Any = None) -> Any:
        """Return the result, or the default if it is not in the cache."""
        with self._lock:
            if key not in self._results:
                return default
            self._results.move_to_end(key)
            return self._results[key][0]

    def put(self, key: tuple, result: Any, share: float = 1.0) -> None:
        """Store a result, and evict the least recently used ones.

        Args:
            key: key of the result; its first two items are its kind.
            result: result to store.
            share: maximum share of all bytes for results of this kind; the newest one is stored in any case.
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

    def get_or_compute(self, key: tuple, make: Callable[[], Any], share: float = 1.0) -> Any:
        """Return the result, and compute it if it is missing. Concurrent requests wait for one computation.

        A thread that holds the processor lock computes the result itself, because the other thread may be waiting for
        that lock.
        """
        result = self.get(key, _MISSING)
        if result is not _MISSING:
            return result
        if one_at_a_time.is_mine():
            return self._make(key, make, share)
        with self._lock:
            making = self._making.setdefault(key, _Making())
            making.waiting += 1
        try:
            with making.lock:
                result = self.get(key, _MISSING)
                return self._make(key, make, share) if result is _MISSING else result
        finally:
            with self._lock:
                making.waiting -= 1
                if not making.waiting:
                    del self._making[key]

    def figures(self) -> tuple[dict[str, int], dict[str, int]]:
        """Return the bytes of the stored results, and the number of results computed so far, both by kind."""
        sizes: Counter[str] = Counter()
        with self._lock:
            for key, (_, size) in self._results.items():
                sizes[_kind(key)] += size
            return dict(sizes), dict(self._counts)

    def forget(self, items: Set[Hashable]) -> None:
        """Delete all results whose keys contain one of these items, such as the digest of an image."""
        with self._lock:
            for key in [key for key in self._results if _contains(key, items)] if items else ():
                self._drop(key)

    def clear(self) -> None:
        """Delete all results."""
        with self._lock:
            self._results.clear()
            self.size = 0

    def __len__(self) -> int:
        return len(self._results)

    def _make(self, key: tuple, make: Callable[[], Any], share: float) -> Any:
        result = make()
        with self._lock:
            self._counts[_kind(key)] += 1
        self.put(key, result, share)
        return result

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
    """Join the first two items of a key: module and function, or the kind of a job."""
    return ".".join(part for part in key[:2] if isinstance(part, str))


def _contains(key: object, items: Set[Hashable]) -> bool:
    return any(_contains(part, items) for part in key) if isinstance(key, tuple) else key in items


def size_of(result: object) -> int:
    """Bytes of the arrays, images and texts in a result, plus an overhead for each object.

    Models are not counted: `vitviz.zoo.ModelCache` limits their number, and results should not hold models.
    """
    seen, pending, total = set(), [result], 0
    while pending:
        one = pending.pop()
        if id(one) in seen or isinstance(one, nn.Module):
            continue
        seen.add(id(one))
        size, parts = _measured(one)
        total += _OVERHEAD + size
        pending += parts
    return total


def _measured(one: object) -> tuple[int, list[object]]:
    """Return the bytes of an object without its members, and its members."""
    if isinstance(one, bytes | bytearray | str):
        return len(one), []
    if isinstance(one, np.ndarray):
        is_view = isinstance(one.base, np.ndarray | Tensor)
        return (0, [one.base]) if is_view else (one.nbytes, [])  # a view holds the whole base array
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
    return 1_000_000 * variables.CACHE_MB.value()


shared = Cache(int(0.9 * _bytes()))
results = Cache(
    int(0.1 * _bytes())
)  # of jobs; separate, because these small results are expensive and traces must not evict them


def clear() -> None:
    """Delete all results."""
    for cache in (shared, results):
        cache.clear()


def forget(items: Set[Hashable]) -> None:
    """Delete all results whose keys contain one of these items, such as the digest of an image."""
    for cache in (shared, results):
        cache.forget(items)


def cached(message: str = "", share: float = 1.0) -> Callable[[Callable], Callable]:
    """Cache the results of a function by its arguments.

    Arguments whose names begin with `_` must be determined by the others; they are not part of the key.

    Args:
        message: text of the spinner shown while the result is computed; empty for none.
        share: maximum share of the cache for results of this function. It should be small for large intermediate
            results.
    """

    def decorate(make: Callable) -> Callable:
        arguments = signature(make)

        @wraps(make)
        def lookup(*given: Any) -> Any:
            bound = arguments.bind(*given)
            bound.apply_defaults()
            identify = (value for name, value in bound.arguments.items() if not name.startswith("_"))

            key = (make.__module__, make.__qualname__, *identify)
            ready = shared.get(key, _MISSING)
            if ready is not _MISSING:
                return ready
            with _spinner(message):  # its end may stop the run after a click; the result is stored by then
                return shared.get_or_compute(key, lambda: make(*given), share)

        return lookup

    return decorate


def _spinner(message: str):
    """Return a spinner, or a null context outside a page run."""
    return st.spinner(message) if message and get_script_run_ctx(suppress_warning=True) else nullcontext()
