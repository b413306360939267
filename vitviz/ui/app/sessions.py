"""Sessions, and the images and heads of their users, which are deleted when the session has ended.

Streamlit keeps the session of a closed tab and its uploads for two minutes or more, and results stay in the cache.
Here, a session ends a minute after its connection is lost. Its images and all results computed from them are deleted,
unless another session uses the same images, or they are shared with a class until later. The same applies to results of
models with a head of the user.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from streamlit import runtime
from streamlit.runtime.scriptrunner import get_script_run_ctx

from ...errors import ImageError
from ...images.reading import file_format
from . import cache, class_images, memory

_log = logging.getLogger(__name__)
TIMEOUT = 60.0  # seconds without a connection; allows for a locked phone or a network failure
INTERVAL = 5.0  # seconds between two checks
LINGER = 600.0  # seconds during which an unfinished run or job may still add results to the cache


@dataclass
class Session:
    """Session of a user.

    Attributes:
        images: digests of the uploaded images.
        models: names of models with a head of the user.
        last: time of the last connection, from `time.monotonic`.
    """

    images: set[str] = field(default_factory=set)
    models: set[str] = field(default_factory=set)
    last: float = field(default_factory=time.monotonic)

    @property
    def items(self) -> set[str]:
        """Items of the cache keys of all results that only this session needs."""
        return self.images | self.models


_sessions: dict[str, Session] = {}
_left: dict[str, float] = {}  # digests of deleted images and names of deleted models, and the time of their deletion
_lock = threading.Lock()


def add_image(image: str) -> None:
    """Record that this session uses an image, given by its digest."""
    context = get_script_run_ctx(suppress_warning=True)
    if context is not None:
        with _lock:
            _sessions.setdefault(context.session_id, Session()).images.add(image)


def add_model(model: str) -> None:
    """Record that this session uses a model with a head of its user, given by its name."""
    context = get_script_run_ctx(suppress_warning=True)
    if context is not None:
        with _lock:
            _sessions.setdefault(context.session_id, Session()).models.add(model)


def drop_model(model: str) -> None:
    """Record that this session no longer uses such a model, and delete its results unless another session uses it."""
    context = get_script_run_ctx(suppress_warning=True)
    with _lock:
        if context is not None and context.session_id in _sessions:
            _sessions[context.session_id].models.discard(model)
        if any(model in session.models for session in _sessions.values()):
            return
        _left[model] = time.monotonic()
    cache.forget({model})


@contextmanager
def upload(image: str, data: bytes) -> Iterator[None]:
    """Record that this session uses an image, and log whether it is accepted, with its size and format.

    Args:
        image: digest of the image.
        data: file of the image.

    Raises:
        ImageError: from within, if the image is refused.
    """
    add_image(image)
    kind = file_format(data) or "unknown format"
    try:
        yield
    except ImageError:
        _log.info("Upload refused: %d bytes, %s.", len(data), kind)
        raise
    _log.info("Upload accepted: %d bytes, %s.", len(data), kind)


async def watch() -> None:
    """End disconnected sessions while the server runs. Runs on the server's event loop."""
    while True:
        await asyncio.sleep(INTERVAL)
        try:
            server = runtime.get_instance()
            ended = forget_disconnected(server.is_active_session, time.monotonic())
            for session in ended:
                _close(server, session)
            # Also while all are connected: glibc keeps what thirty uploads have used at the same time, 40 MB each.
            await asyncio.to_thread(memory.give_back if ended else memory.trim)
        except Exception:  # the task must go on: without it, no image is ever deleted
            _log.exception("The check for disconnected sessions failed.")


def _close(server: runtime.Runtime, session: str) -> None:
    try:
        server.close_session(session)
    except Exception:  # an error of Streamlit must not prevent closing the other sessions
        _log.exception("A session could not be closed.")


def forget_disconnected(is_connected: Callable[[str], bool], now: float) -> list[str]:
    """Delete the images and heads of sessions without a connection for more than `TIMEOUT` seconds.

    Results of images that are no longer shared with a class are deleted, too.

    Args:
        is_connected: function that tells whether a session, given by its id, is connected.
        now: current time, from `time.monotonic`.

    Returns:
        Ids of these sessions.
    """
    with _lock:
        for name, session in _sessions.items():
            if is_connected(name):
                session.last = now
        ended = {name: session for name, session in _sessions.items() if now - session.last > TIMEOUT}
        for name in ended:
            del _sessions[name]
        used = class_images.STORE.digests().union(*(session.items for session in _sessions.values()))
        for item in class_images.STORE.take_ended().union(*(session.items for session in ended.values())) - used:
            _left[item] = now
        for item in [item for item, since in _left.items() if item in used or now - since > LINGER]:
            del _left[item]
        left = set(_left)
    cache.forget(left)
    return list(ended)
