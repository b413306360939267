"""Class of thirty that opens a teacher's image by link, on the lesson pages."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping

import numpy as np

from ..measure import Row
from ..session import Session
from .server import USERS, ZONE, memory, percentiles, photo, server

ARRIVALS = 30.0  # seconds within which they arrive
PAUSE = (3.0, 8.0)  # seconds between two actions
SHARED, PICKERS = "class_end_", ("attention_picker", "sequence_picture")  # keys: end of a share; images of the lesson
STEPS = {"Attention open": 12.0, "patch to page": 4.6, "Image to sequence open": 12.0, "its patch to page": 4.6}
# goals: seconds


def pupils() -> Iterator[Row]:
    """Run a class of thirty that opens a teacher's image by link within 30 s, on the lesson pages; then all at once."""
    with server({"VITVIZ_CLASS_HOURS": "1"}) as url:
        teacher = Session(url)
        address = asyncio.run(_shared_image(teacher, photo(9)))
        for when, arrivals in (("class", ARRIVALS), ("class, all at once", 0.0)):
            goals = STEPS if arrivals else dict.fromkeys(STEPS)
            yield from _times(when, asyncio.run(_class(url, address, arrivals)), goals)
        yield Row("memory after the class", f"{memory(url):.0f} MB", "", None, "resident memory of the server")


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
        late = np.percentile(of_all, 95)
        yield Row(
            f"{when}, {USERS} users: {name}",
            percentiles(of_all),
            f"p95 ≤ {goal:g} s" if goal else "",
            bool(late <= goal) if goal else None,
            f"longest {of_all.max():.1f} s",
        )
