"""Hovering while others use the server: the browser computes the maps, so the server is not asked."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event

import numpy as np

from ..browser import EXPLORER, MOVES, Hovers, hovers_over, opened_at
from ..measure import Row
from .server import CORES, USERS, photo, server
from .visit import Visit


def hovering() -> Iterator[Row]:
    """Point at 200 patches in Chromium, with no other user, and while thirty users look at all pages."""
    with server() as url, opened_at(url, EXPLORER, 224) as hovered:
        alone = hovers_over(hovered)
        with _others(url) as count_actions:
            before = count_actions()
            beside = hovers_over(hovered)
            actions = count_actions() - before
    sent = len(beside.messages)
    yield Row(
        f"websocket messages sent during {MOVES} hovers beside {USERS} users",
        f"{sent}",
        "0",
        not sent,
        f"meanwhile the server completed {actions} actions of the others",
    )
    shared = (os.cpu_count() or 1) <= CORES
    ratio = float(np.median(beside.latency) / np.median(alone.latency))
    yield Row(
        f"latency of hovering beside {USERS} users, relative to alone",
        f"{ratio:.2f} ×",
        "" if shared else "≤ 1.10 ×",
        None if shared else ratio <= 1.1,
        f"pointer to end of frame: alone {_latency(alone)}, beside the others {_latency(beside)}"
        + ("; the browser and the other users share the cores of the server here" if shared else ""),
    )


def _latency(hovers: Hovers) -> str:
    return "median {:.1f}, p95 {:.1f} ms".format(*np.percentile(hovers.latency, [50, 95]))


@contextmanager
def _others(url: str) -> Iterator[Callable[[], int]]:
    """Let thirty users upload an image each, then look at all pages until the block ends.

    Yields:
        Function that returns the number of actions that the server has completed for them.
    """
    visits = [Visit(url, photo(8000 + number), np.random.default_rng(number)) for number in range(USERS)]
    began, ended = Event(), Event()
    with ThreadPoolExecutor() as threads:  # Playwright has the event loop of this thread
        result = threads.submit(asyncio.run, _visits(visits, began, ended))
        try:
            began.wait()
            yield lambda: sum(len(times) for visit in visits for times in visit.times.values())
        finally:
            ended.set()
        result.result()


async def _visits(visits: list[Visit], began: Event, ended: Event) -> None:
    try:
        await asyncio.gather(*(visit.arrive(0) for visit in visits))
        await asyncio.gather(*(visit.upload() for visit in visits))
    finally:
        began.set()
    looking = asyncio.gather(*(visit.look_around(float("inf")) for visit in visits))
    end = asyncio.create_task(asyncio.to_thread(ended.wait))
    await asyncio.wait([looking, end], return_when=asyncio.FIRST_COMPLETED)
    looking.cancel()
    try:
        await looking
    except asyncio.CancelledError:  # the block has ended
        pass
    finally:
        await asyncio.gather(*(visit.leave() for visit in visits))
