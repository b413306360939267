"""Limits on time and memory, and the check that hostile input is read or refused within them."""

import resource
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from vitviz import VitvizError

GB = 1_000_000_000
SECONDS = 60  # of CPU time for one input; all take far less, and without a limit it would be minutes or hours
_MEMORY = Path("/proc/self/statm")  # on Linux
_Result = TypeVar("_Result")


class _OverTimeError(BaseException):  # not an Exception, which readers turn into refusals
    pass


@contextmanager
def cpu_limit(seconds: float = SECONDS) -> Iterator[None]:
    """Fail if the CPU time of this process grows by more than this inside of the block. For the main thread only."""

    def stop(*_: object) -> None:
        raise _OverTimeError

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    except _OverTimeError as error:
        raise AssertionError(f"It was not finished after {seconds} seconds of CPU time.") from error
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


@contextmanager
def memory_limit(size: int = GB) -> Iterator[None]:
    """Limit the memory of this process to what it has when the block begins and `size` bytes more, on Linux.

    RLIMIT_AS would not do: it counts address space, of which PyTorch and its thread pools reserve many gigabytes that
    they never use. RLIMIT_DATA counts private writable memory only, and so neither reserved space nor mapped files.
    An allocation beyond the limit fails inside of the reader, which `handled` tells from a refusal.
    """
    if not _MEMORY.exists():
        yield
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    used = int(_MEMORY.read_text().split()[5]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_DATA, (used + size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def handled(read: Callable[[], _Result]) -> _Result | None:
    """Read hostile input, and check that it is read or refused in one sentence, for another reason than memory.

    Returns:
        The result; None if the input was refused.
    """
    with cpu_limit():
        try:
            return read()
        except VitvizError as error:
            refusal = error
    message = str(refusal)
    assert message.endswith("."), message
    assert len(message.splitlines()) == 1, message
    assert len(message) < 1500, message
    assert not lacks_memory(refusal), "It needs more memory than it may."
    return None


def lacks_memory(error: BaseException | None) -> bool:
    """Return whether an error, or one that caused it, is a failed allocation."""
    while error is not None:
        text = str(error).lower()
        if "security limit" in str(error.__cause__).lower():  # of libheif, which has allocated nothing
            return False
        if isinstance(error, MemoryError) or "allocate memory" in text or "not enough memory" in text:
            return True
        error = error.__cause__ or error.__context__
    return False
