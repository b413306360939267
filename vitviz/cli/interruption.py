"""Interruption of a run by Ctrl-C or a scheduler."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def sigterm_as_interrupt() -> Iterator[None]:
    """Treat SIGTERM, which schedulers send, as Ctrl-C, so that the run is finished in order."""
    if threading.current_thread() is not threading.main_thread():  # signal handlers need the main thread
        yield
        return

    def interrupt(*_) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a second signal would interrupt the clean-up
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before or signal.SIG_DFL)
