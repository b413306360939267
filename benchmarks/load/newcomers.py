"""Delay of a new user by slow work of others."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import numpy as np

from vitviz.analysis.ablation import distance
from vitviz.analysis.ablation.sweep import each_patch

from ..library import PHOTO
from ..measure import Row
from ..session import Session
from .outside import model
from .server import MAP, ZONE, photo, server

UPLOADS = 7
SAMPLES = ("cat", "flower", "coffee")


def newcomers() -> Iterator[Row]:
    """Measure the time to the first map of an uploaded image while patch sweeps of large images run."""
    alone, batch = None, batch_seconds()
    for sweeps in (0, 1, 3):
        with server() as url:
            took = np.array(asyncio.run(_newcomer(url, sweeps)))
        middle = float(np.median(took))
        alone = middle if alone is None else alone
        detail = f"median of {UPLOADS} uploads, longest {took.max():.2f} s; one batch of the sweep takes {batch:.2f} s"
        if not sweeps:
            yield Row("upload to first heat map, alone", f"{middle:.2f} s", "", None, detail)
            continue
        yield Row(
            f"its delay beside {sweeps} patch sweep{'s' * (sweeps > 1)} at 518 px",
            f"{middle - alone:.2f} s",
            f"≤ {batch:.2f} s",
            middle - alone <= batch,
            detail,
        )


def batch_seconds() -> float:
    """Return the median duration of one batch of a patch sweep at 518 px, which is one pass."""
    trace = model().trace(PHOTO, size=518)
    steps, took = each_patch(model(), trace, distance(trace), at_once=1), []
    for _ in range(5):
        began = time.perf_counter()
        next(steps)
        took.append(time.perf_counter() - began)
    return float(np.median(took))


async def _newcomer(url: str, sweeps: int) -> list[float]:
    """Return the seconds to the first map of several new users, one after another."""
    busy = [Session(url) for _ in range(sweeps)]
    watching, took = [], []
    for other, image in zip(busy, SAMPLES, strict=False):
        await other.connect()
        await other.open("intervene", f"size=518&image={image}")
        await other.choose("sweep_what", "patches")
        watching.append(asyncio.create_task(other.click("sweep_run")))
    await asyncio.sleep(5 if sweeps else 0)
    for number in range(UPLOADS):
        session = Session(url)
        await session.connect()
        await session.open("explore")
        took.append(await session.upload(photo(70 + number), ZONE, shown=MAP))
        await session.leave()
    for other in busy:
        await other.leave()
    await asyncio.gather(*watching, return_exceptions=True)
    return took
