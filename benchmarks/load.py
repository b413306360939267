"""Load test of the server without browsers.

Thirty users with their own images, a class that opens one shared image, and new users during slow work. Run it with
`make load`.
"""

import asyncio
import io
import re
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
from PIL import Image

from scripts.app_server import running_app

from .measure import Row
from .session import Session, results_made

USERS = 30
ARRIVALS = 30.0  # seconds within which they arrive
PAUSE = (3.0, 8.0)  # seconds between two actions
PHOTO = (3000, 4000)  # pixels, as of phones
RETENTION = 75.0  # seconds after which all data of a closed tab is deleted
ZONE, MAP, EXPLORER = "sidebar_upload_0", "explorer_part_layer", "explorer"
STEPS = {"page open": 12.0, "upload to map": 4.6, "pin to page": 4.6, "Tokens open": 12.0}  # goals: seconds
NEWCOMER = 4.6  # goal: seconds to the first map
SHARED, PICKERS = "class_end_", ("attention_picker", "sequence_picture")  # keys: end of a share; images of the lesson
CLASS_STEPS = {"Attention open": 12.0, "patch to page": 4.6, "Image to sequence open": 12.0, "its patch to page": 4.6}


def photo(seed: int) -> bytes:
    """Return a unique image as JPEG."""
    random = np.random.default_rng(seed)
    coarse = Image.fromarray(random.integers(0, 255, (60, 80, 3), dtype=np.uint8))
    buffer = io.BytesIO()
    coarse.resize(PHOTO[::-1], Image.Resampling.BICUBIC).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


async def visit(url: str, data: bytes, arrival: float, random: np.random.Generator) -> tuple[float, ...]:
    """Open Explore, upload an image, pin a patch and open Tokens, with pauses. Returns the seconds of each step."""

    async def pause() -> None:
        await asyncio.sleep(random.uniform(*PAUSE) if arrival else 0)

    await asyncio.sleep(arrival)
    session = Session(url)
    await session.connect()
    opened = await session.open("explore")
    await pause()
    mapped = await session.upload(data, ZONE, shown=MAP)
    await pause()
    pinned = await session.tell(EXPLORER, "view", _other_patch)
    await pause()
    moved = await session.open("tokens")
    await session.leave()
    return opened, mapped, pinned, moved


def _other_patch(data: dict) -> dict:
    view = data["view"]
    return {"view": view | {"query": 1 + (view["query"] or 0) % 200}, "places": data["places"]}


async def all_visits(url: str, seed: int, arrivals: float) -> np.ndarray:
    """Return the seconds of each step for all users, [user, step]."""
    random = np.random.default_rng(seed)
    photos = [photo(1000 * seed + number) for number in range(USERS)]
    starts = np.linspace(0, arrivals, USERS)
    return np.array(
        await asyncio.gather(*(visit(url, data, at, random) for data, at in zip(photos, starts, strict=True)))
    )


def users() -> Iterator[Row]:
    """Run thirty users within 30 s, twice with different images and equal memory, then all at once."""
    with running_app() as url:
        before, last = memory(url), None
        for turn in (1, 2):
            yield from _times(f"round {turn}", asyncio.run(all_visits(url, turn, ARRIVALS)), STEPS)
            now = memory(url)
            is_flat = None if last is None else now <= 1.05 * last
            made = results_made(url)
            time.sleep(RETENTION)
            detail = f"{before:.2f} GB before, {memory(url):.2f} GB after the retention time; "
            detail += f"so far {made['_trace']} forward passes and {made['_safe_image']} decoded images"
            yield Row(f"memory after round {turn}", f"{now:.2f} GB", "" if last is None else "flat", is_flat, detail)
            last = now
        yield from _times("all at once", asyncio.run(all_visits(url, 3, 0.0)), dict.fromkeys(STEPS))


def pupils() -> Iterator[Row]:
    """Run a class of thirty that opens a teacher's image by link within 30 s, on the lesson pages; then all at once."""
    with running_app(environment={"VITVIZ_CLASS_HOURS": "1"}) as url:
        teacher = Session(url)
        address = asyncio.run(_shared_image(teacher, photo(9)))
        for when, arrivals in (("class", ARRIVALS), ("class, all at once", 0.0)):
            goals = CLASS_STEPS if arrivals else dict.fromkeys(CLASS_STEPS)
            yield from _times(when, asyncio.run(_class(url, address, arrivals)), goals)
        yield Row("memory after the class", f"{memory(url):.2f} GB", "", None, "resident memory of the server")


async def _shared_image(teacher: Session, data: bytes) -> str:
    """Share an image with the class. Returns the query string that opens it."""
    await teacher.connect()
    await teacher.open("attention")
    await teacher.upload(data, ZONE, shown=PICKERS[0])
    await teacher.click("class_link")
    await teacher.click("class_share")
    (name,) = [key.removeprefix(SHARED) for key in teacher.elements if key.startswith(SHARED)]
    await teacher.leave()
    return f"image=class-{name}"


async def _class(url: str, address: str, arrivals: float) -> np.ndarray:
    """Return the seconds of each step for all pupils, [pupil, step]."""
    random = np.random.default_rng(0)
    starts = np.linspace(0, arrivals, USERS)
    return np.array(await asyncio.gather(*(_pupil(url, address, at, random) for at in starts)))


async def _pupil(url: str, address: str, arrival: float, random: np.random.Generator) -> list[float]:
    """Open both lesson pages and follow another patch on each, with pauses. Returns the seconds of each step."""
    await asyncio.sleep(arrival)
    session, took = Session(url), []
    await session.connect()
    row, column = (int(one) for one in random.integers(0, 16, 2))
    for page, picker in zip(("attention", "sequence"), PICKERS, strict=True):
        took.append(await session.open(page, address))
        await asyncio.sleep(random.uniform(*PAUSE) if arrival else 0)
        chosen = {"role": "query", "row": row, "column": column}
        took.append(await session.tell(picker, "chosen", lambda data, chosen=chosen: chosen | {"grid": data["grid"]}))
        row, column = column, (row + 1) % 16
        await asyncio.sleep(random.uniform(*PAUSE) if arrival else 0)
    await session.leave()
    return took


def _times(when: str, seconds: np.ndarray, goals: Mapping[str, float | None]) -> Iterator[Row]:
    for (name, goal), of_all in zip(goals.items(), seconds.T, strict=True):
        middle, late = np.percentile(of_all, [50, 95])
        yield Row(
            f"{when}, {USERS} users: {name}",
            f"95 % within {late:.1f} s",
            f"≤ {goal:g} s" if goal else "",
            bool(late <= goal) if goal else None,
            f"median {middle:.1f} s",
        )


def newcomers() -> Iterator[Row]:
    """Measure the time to the first map of an uploaded image while patch sweeps of large images run."""
    for sweeps in (0, 1, 3):
        with running_app() as url:
            took = asyncio.run(_newcomer(url, sweeps))
        goal, ok = (f"≤ {NEWCOMER:g} s", took <= NEWCOMER) if sweeps else ("", None)
        condition = f"beside {sweeps} patch sweeps at 518 px" if sweeps else "alone"
        yield Row(f"upload to map, {condition}", f"{took:.1f} s", goal, ok, "")


async def _newcomer(url: str, sweeps: int) -> float:
    samples = ("cat", "flower", "coffee")
    busy = [Session(url) for _ in range(sweeps)]
    watching = []
    for other, image in zip(busy, samples, strict=False):
        await other.connect()
        await other.open("intervene", f"size=518&image={image}")
        await other.choose("sweep_what", "patches")
        watching.append(asyncio.create_task(other.click("sweep_run")))
    await asyncio.sleep(5 if sweeps else 0)
    session = Session(url)
    await session.connect()
    await session.open("explore")
    took = await session.upload(photo(7), ZONE, shown=MAP)
    for other in (session, *busy):
        await other.leave()
    await asyncio.gather(*watching, return_exceptions=True)
    return took


def memory(url: str) -> float:
    """Return the resident memory of the server in gigabytes."""
    port = f"--server.port={urlsplit(url).port}"
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if port in (folder / "cmdline").read_text():
                return int(re.search(r"VmRSS:\s+(\d+)", (folder / "status").read_text())[1]) / 1e6
        except OSError:  # the process has ended
            continue
    return float("nan")
