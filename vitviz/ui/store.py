"""Results that all visitors share, bounded in number."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Any


class Store:
    """The most recently used results, by what identifies them; for all threads."""

    def __init__(self, most: int):
        self._most, self._results, self._lock = most, OrderedDict(), threading.Lock()

    def get(self, key: tuple) -> Any:
        """The result; None if it was not computed, or is forgotten."""
        with self._lock:
            if key in self._results:
                self._results.move_to_end(key)
            return self._results.get(key)

    def put(self, key: tuple, result: Any) -> None:
        """Keep a result, and forget the one that nobody has asked for the longest."""
        with self._lock:
            self._results[key] = result
            self._results.move_to_end(key)
            while len(self._results) > self._most:
                self._results.popitem(last=False)
