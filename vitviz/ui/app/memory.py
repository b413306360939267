"""Process memory under glibc. On other systems, the functions have no effect."""

import ctypes
import gc
from contextlib import suppress

_ARENA_MAX = -8  # M_ARENA_MAX of mallopt


def few_arenas() -> None:
    """Limit the number of malloc arenas. Otherwise, threads that decode large images retain that memory."""
    _call("mallopt", _ARENA_MAX, 2)


def trim() -> None:
    """Return unused memory to the system. Takes some milliseconds, without the interpreter lock."""
    _call("malloc_trim", 0)


def give_back() -> None:
    """Collect garbage and return unused memory to the system."""
    gc.collect()
    trim()


def _call(name: str, *arguments: int) -> None:
    with suppress(OSError, AttributeError, TypeError):  # not glibc
        getattr(ctypes.CDLL(None), name)(*arguments)
