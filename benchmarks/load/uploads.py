"""Throughput of waiting uploads, and the gain of batches.

The app computes waiting passes one by one: on one core, a batch of eight took only a tenth less processor time than
eight passes, and a user would have to wait for a whole batch.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import numpy as np

from ..measure import Row, interleaved, spread
from .outside import model
from .server import USERS, percentiles, photo, server
from .visit import Visit

TOGETHER = 1.2  # goal: throughput of uploads that wait, relative to one by one
BATCH = 8


def uploads() -> Iterator[Row]:
    """Compare thirty uploads at once with as many one by one, and a batch of forward passes with single ones."""
    photos = [photo(5000 + number) for number in range(2 * USERS)]
    with server() as url:
        alone, together, waits = asyncio.run(_both(url, photos))
    yield Row(
        f"throughput of {USERS} uploads at once, relative to one by one",
        f"{alone / together:.2f} ×",
        f"≥ {TOGETHER:g} ×",
        alone >= TOGETHER * together,
        f"to the first heat map: one by one {alone:.1f} s, at once {together:.1f} s ({percentiles(waits)})",
    )
    yield from batches(photos[:BATCH])


def batches(photos: list[bytes]) -> Iterator[Row]:
    """Compare `trace_batch` with `trace`, image by image."""
    prepared = [model().trace(image).image for image in photos]
    single, batch = interleaved(
        lambda: [model().trace(one) for one in prepared], lambda: model().trace_batch(prepared), rounds=20
    )
    yield Row(
        f"throughput of trace_batch with {len(photos)} images, 224 px, relative to trace",
        f"{np.median(single) / np.median(batch):.2f} ×",
        "",
        None,
        f"trace {spread(single, 'ms', 1e3)}, trace_batch {spread(batch, 'ms', 1e3)}",
    )


async def _both(url: str, photos: list[bytes]) -> tuple[float, float, np.ndarray]:
    """Return the seconds of all uploads one by one, those of all at once, and the wait of each of the latter."""
    visits = [Visit(url, image, np.random.default_rng(0)) for image in photos]
    for visit in visits:
        await visit.arrive(0)
    first, second = visits[:USERS], visits[USERS:]
    alone = 0.0
    for visit in first:
        await visit.upload()
        alone += visit.times["upload to first heat map"][0]
    began = time.perf_counter()
    ends = await asyncio.gather(*(visit.upload() for visit in second))
    for visit in visits:
        await visit.leave()
    return alone, max(ends) - began, np.array([visit.times["upload to first heat map"][0] for visit in second])
