"""Memory of the server with few users, for hosts with a memory limit: which settings fit."""

import asyncio
from collections.abc import Iterator, Mapping

from ..library import peak_bytes
from ..measure import Row
from ..session import Session
from .server import MAP, ZONE, memory, photo, process_of, server

PAGES = ("tokens", "lens", "attention", "sequence", "intervene", "explain")
SMALLEST = {"VITVIZ_CACHE_MB": "100", "VITVIZ_MAX_MODELS": "1", "OMP_NUM_THREADS": "1"}
# number of users, settings, and memory limit of the host in MB; None is no limit
CASES: tuple[tuple[int, Mapping[str, str], int | None], ...] = (
    (5, {}, None),
    (5, {"VITVIZ_CACHE_MB": "500"}, 2700),
    (5, SMALLEST, None),
    (2, SMALLEST, 1000),
    (1, SMALLEST, 1000),
)


def footprint() -> Iterator[Row]:
    """Measure the memory after a first page, and the peak while users with own photos open all pages."""
    for users, settings, limit in CASES:
        with server(settings) as url:
            asyncio.run(_open(url))
            first = memory(url)
            asyncio.run(_all(url, users))
            after, peak = memory(url), peak_bytes(process_of(url).pid) / 1e6
        name = ", ".join(f"{key}={value}" for key, value in settings.items()) or "defaults"
        detail = f"{first:.0f} MB after the first page, {after:.0f} MB after {users} users with photos of 12 megapixels"
        goal, ok = (f"< {limit} MB", peak < limit) if limit else ("", None)
        yield Row(f"peak memory of the server, {users} users, {name}", f"{peak:.0f} MB", goal, ok, detail)


async def _open(url: str) -> None:
    session = Session(url)
    await session.connect()
    await session.open("explore")
    await session.leave()


async def _all(url: str, users: int) -> None:
    photos = [photo(number) for number in range(users)]
    await asyncio.gather(*(_visit(url, data) for data in photos))


async def _visit(url: str, data: bytes) -> None:
    """Upload a photo on Explore and open all other pages."""
    session = Session(url)
    await session.connect()
    await session.open("explore")
    await session.upload(data, ZONE, shown=MAP)
    for page in PAGES:
        await session.open(page)
    await session.leave()
