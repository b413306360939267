"""Memory of the process, as glibc keeps it; elsewhere there is nothing to ask for."""

import ctypes
import gc
from contextlib import suppress

_ARENA_MAX = -8  # M_ARENA_MAX of mallopt


def few_arenas() -> None:
    """Share memory between threads: else what large images took stays with the threads that decoded them."""
    _ask("mallopt", _ARENA_MAX, 2)


def give_back() -> None:
    """Give what is not used any more, also in cycles, back to the system."""
    gc.collect()
    _ask("malloc_trim", 0)


def _ask(name: str, *numbers: int) -> None:
    with suppress(OSError, AttributeError, TypeError):  # of other systems
        getattr(ctypes.CDLL(None), name)(*numbers)
