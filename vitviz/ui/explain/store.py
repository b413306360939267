"""What was computed for one visitor is there for all who ask the same.

Not Streamlit's cache: what takes long tells the page how far it is, and the page's own elements have no place in a
cached function.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Any

import streamlit as st

MOST = 512  # results; the largest maps have 1600 numbers, and nothing here keeps a model or a trace


class Store:
    """The most recently used results, by what identifies them; for all threads."""

    def __init__(self, most: int = MOST):
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


@st.cache_resource(show_spinner=False)
def shared() -> Store:
    """The store of this process."""
    return Store()
