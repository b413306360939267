"""Visitors' own images: what belongs to nobody who is here is forgotten.

Streamlit keeps the session of a tab that was closed for two minutes and more, and with it what was uploaded, and what
was computed stays in the cache. Here a session ends a minute after its connection, and its images are forgotten with
it, unless somebody else has given the same ones.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from dataclasses import dataclass, field

from streamlit import runtime
from streamlit.runtime.scriptrunner import get_script_run_ctx

from . import cache, memory

_log = logging.getLogger(__name__)
GONE_AFTER = 60.0  # seconds without a connection, for a phone that was locked or a network that was away
EVERY = 5.0  # seconds between two looks
LINGER = 600.0  # seconds in which a run that was under way may still put something into the cache


@dataclass
class Session:
    """A session.

    Attributes:
        images: digests of the images that it has given.
        last: when it was last connected, as `time.monotonic` has it.
    """

    images: set[str] = field(default_factory=set)
    last: float = field(default_factory=time.monotonic)


_visits: dict[str, Session] = {}
_left: dict[str, float] = {}  # images that nobody here has given, and when they were forgotten
_lock = threading.Lock()


def note(image: str) -> None:
    """Note that this session has given an image, by its digest."""
    context = get_script_run_ctx(suppress_warning=True)
    if context is not None:
        with _lock:
            _visits.setdefault(context.session_id, Session()).images.add(image)


async def watch() -> None:
    """End the sessions that are gone, as long as the server runs; on its event loop."""
    while True:
        await asyncio.sleep(EVERY)
        try:
            here = runtime.get_instance()
            gone = end_those_gone(here.is_active_session, time.monotonic())
            for session in gone:
                _end(here, session)
            if gone:
                await asyncio.to_thread(memory.give_back)
        except Exception:  # the next look may go well, and without one nothing is ever forgotten
            _log.exception("Visitors who are gone could not be looked for.")


def _end(here: runtime.Runtime, session: str) -> None:
    try:
        here.close_session(session)
    except Exception:  # Streamlit's affair; the others are to end all the same
        _log.exception("A session could not be ended.")


def end_those_gone(is_here, now: float) -> list[str]:
    """Forget the images of the sessions that have been gone for a while; returns these sessions.

    Args:
        is_here: whether a session, by its id, is connected.
        now: the time, as `time.monotonic` has it.
    """
    with _lock:
        for session, visit in _visits.items():
            if is_here(session):
                visit.last = now
        gone = {session: visit for session, visit in _visits.items() if now - visit.last > GONE_AFTER}
        for session in gone:
            del _visits[session]
        here = set().union(*(visit.images for visit in _visits.values()))
        for image in set().union(*(visit.images for visit in gone.values())) - here:
            _left[image] = now
        for image in [image for image, since in _left.items() if image in here or now - since > LINGER]:
            del _left[image]
        left = set(_left)
    cache.forget(left)
    return list(gone)
