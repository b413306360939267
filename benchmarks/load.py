"""Thirty visitors, each with a photo of their own, and newcomers while others have slow work done: `make load`.

Browsers' work is not part of it: what is measured is the server.
"""

import asyncio
import io
import re
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
from PIL import Image

from scripts.app_server import running_app

from .measure import Row
from .visitor import Visitor, results_made

VISITORS = 30
ARRIVALS = 30.0  # seconds in which they come
LOOKING = (3.0, 8.0)  # seconds that they look at what is there before they go on
PHOTO = (3000, 4000)  # pixels, as phones make them
FORGOTTEN = 75.0  # seconds after which nothing is kept of a closed tab
ZONE, MAP, EXPLORER = "sidebar_upload_0", "explorer_held_layer", "explorer"
STEPS = {"page open": 12.0, "upload to map": 4.6, "pin to page": 4.6, "Tokens open": 12.0}  # goals: seconds
NEWCOMER = 4.6  # seconds to the first map


def photo(seed: int) -> bytes:
    """A photo that nobody else has, JPEG."""
    random = np.random.default_rng(seed)
    coarse = Image.fromarray(random.integers(0, 255, (60, 80, 3), dtype=np.uint8))
    buffer = io.BytesIO()
    coarse.resize(PHOTO[::-1], Image.Resampling.BICUBIC).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


async def visit(url: str, data: bytes, arrival: float, random: np.random.Generator) -> tuple[float, ...]:
    """Open Explore, look, give a photo, look, pin a patch, look, and go to Tokens; returns the seconds of each step."""

    async def look() -> None:
        await asyncio.sleep(random.uniform(*LOOKING) if arrival else 0)

    await asyncio.sleep(arrival)
    visitor = Visitor(url)
    await visitor.connect()
    opened = await visitor.open("explore")
    await look()
    mapped = await visitor.upload(data, ZONE, shown=MAP)
    await look()
    pinned = await visitor.tell(EXPLORER, "view", _other_patch)
    await look()
    moved = await visitor.open("tokens")
    await visitor.leave()
    return opened, mapped, pinned, moved


def _other_patch(data: dict) -> dict:
    view = data["view"]
    return {"view": view | {"query": 1 + (view["query"] or 0) % 200}, "places": data["places"]}


async def everybody(url: str, seed: int, arrivals: float) -> np.ndarray:
    """Seconds of all visits, [visitor, step]."""
    random = np.random.default_rng(seed)
    photos = [photo(1000 * seed + number) for number in range(VISITORS)]
    begin = np.linspace(0, arrivals, VISITORS)
    return np.array(
        await asyncio.gather(*(visit(url, data, at, random) for data, at in zip(photos, begin, strict=True)))
    )


def visitors() -> Iterator[Row]:
    """Thirty within half a minute, twice: the second time with other photos, and with no more memory; then at once."""
    with running_app() as url:
        before, last = memory(url), None
        for turn in (1, 2):
            yield from _times(f"round {turn}", asyncio.run(everybody(url, turn, ARRIVALS)), STEPS)
            now = memory(url)
            is_flat = None if last is None else now <= 1.05 * last
            made = results_made(url)
            time.sleep(FORGOTTEN)
            detail = f"{before:.2f} GB before, {memory(url):.2f} GB when all were forgotten; "
            detail += f"so far {made['_trace']} passes and {made['_safe_image']} decodes"
            yield Row(f"memory after round {turn}", f"{now:.2f} GB", "" if last is None else "flat", is_flat, detail)
            last = now
        yield from _times("all at one moment", asyncio.run(everybody(url, 3, 0.0)), {})


def _times(when: str, seconds: np.ndarray, goals: dict[str, float]) -> Iterator[Row]:
    for name, of_all in zip(STEPS, seconds.T, strict=True):
        middle, late = np.percentile(of_all, [50, 95])
        goal = goals.get(name)
        yield Row(
            f"{when}, {VISITORS} visitors: {name}",
            f"95 % within {late:.1f} s",
            f"≤ {goal:g} s" if goal else "",
            bool(late <= goal) if goal else None,
            f"median {middle:.1f} s",
        )


def newcomers() -> Iterator[Row]:
    """The first map of somebody's own photo, while sweeps of the patches of large images go on."""
    for sweeps in (0, 1, 3):
        with running_app() as url:
            took = asyncio.run(_newcomer(url, sweeps))
        goal, ok = (f"≤ {NEWCOMER:g} s", took <= NEWCOMER) if sweeps else ("", None)
        what = f"beside {sweeps} patch sweeps at 518 px" if sweeps else "alone"
        yield Row(f"upload to map, {what}", f"{took:.1f} s", goal, ok, "")


async def _newcomer(url: str, sweeps: int) -> float:
    samples = ("cat", "flower", "coffee")
    busy = [Visitor(url) for _ in range(sweeps)]
    watching = []
    for visitor, image in zip(busy, samples, strict=False):
        await visitor.connect()
        await visitor.open("intervene", f"size=518&image={image}")
        await visitor.choose("sweep_what", "patches")
        watching.append(asyncio.create_task(visitor.click("sweep_run")))
    await asyncio.sleep(5 if sweeps else 0)
    visitor = Visitor(url)
    await visitor.connect()
    await visitor.open("explore")
    took = await visitor.upload(photo(7), ZONE, shown=MAP)
    for other in (visitor, *busy):
        await other.leave()
    await asyncio.gather(*watching, return_exceptions=True)
    return took


def memory(url: str) -> float:
    """Gigabytes that the server has in memory."""
    port = f"--server.port={urlsplit(url).port}"
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if port in (folder / "cmdline").read_text():
                return int(re.search(r"VmRSS:\s+(\d+)", (folder / "status").read_text())[1]) / 1e6
        except OSError:  # it has ended since
            continue
    return float("nan")
