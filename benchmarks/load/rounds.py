"""Two rounds of thirty users, each with their own image."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import numpy as np

from vitviz.notation.variables import CACHE_MB

from ..measure import Row
from ..session import results_made
from .outside import belongs, pass_seconds
from .server import USERS, Memory, memory, percentiles, photo, server
from .visit import Visit

SECONDS = 180.0  # duration of a round
ARRIVALS = 20.0  # seconds within which all users open the app; then all upload at once
REST = 10.0  # seconds between the last action of a round and the measurement of its memory
RETENTION = 75.0  # seconds after which all data of a closed tab is deleted
ROOM = 2.0  # goal: seconds to the first heat map besides one forward pass for each user
GROWTH = 1.05  # goal: memory after the second round relative to that after the first
OF_SESSION = 8.0  # goal: megabytes for each open session


def users() -> Iterator[Row]:
    """Run the rounds, and compare times, memory and the numbers that each session was sent with the goals."""
    photos = {turn: [photo(1000 * turn + number) for number in range(USERS)] for turn in (1, 2)}
    one_pass, ends = pass_seconds(photos[1][0]), []
    cached = CACHE_MB.value()
    with server() as url:
        before = memory(url)
        for turn, images in photos.items():
            with Memory(url) as used:
                visits, problems = asyncio.run(_round(url, images, turn, used))
            ends.append(used.rss[-1])
            yield from _times(turn, visits, one_pass)
            yield from _correctness(turn, visits, problems)
            made = results_made(url)
            passes = f"{made['_trace']} traced images and {made['_decode']} decoded ones"
            detail = f"{used}, {REST:.0f} s after the last action; so far {passes}"
            limit = before + cached + OF_SESSION * USERS
            yield Row(
                f"round {turn}: memory with {USERS} open sessions",
                f"{ends[-1]:.0f} MB",
                f"≤ {limit:.0f} MB",
                ends[-1] <= limit,
                f"{detail}; the goal is {before:.0f} MB of the server with its model before the first user, "
                f"{cached} MB for {CACHE_MB.name} and {OF_SESSION:g} MB for each session",
            )
            time.sleep(RETENTION)
            yield Row(f"round {turn}: memory after all have left", f"{memory(url):.0f} MB", "", None, "retention over")
    yield Row(
        "memory at the end of round 2, relative to round 1",
        f"{ends[1] / ends[0]:.3f} ×",
        f"≤ {GROWTH:.2f} ×",
        ends[1] <= GROWTH * ends[0],
        f"memory_rss_mb_end {ends[0]:.0f} and {ends[1]:.0f}",
    )


async def _round(url: str, images: list[bytes], seed: int, used: Memory) -> tuple[list[Visit], list[str]]:
    """Run one round. Returns the visits, and the exceptions of those that ended early."""
    random = np.random.default_rng(seed)
    visits = [Visit(url, image, np.random.default_rng(random.integers(2**32))) for image in images]
    until = asyncio.get_running_loop().time() + SECONDS
    starts = np.linspace(0, ARRIVALS, USERS)
    problems: list[BaseException | None] = []
    problems += await _all(visit.arrive(at) for visit, at in zip(visits, starts, strict=True))
    problems += await _all(visit.upload() for visit in visits)
    problems += await _all(visit.look_around(until) for visit in visits)
    await asyncio.sleep(REST)  # the last jobs end, and free memory goes back to the system
    used.stop()  # while all are connected
    await _all(visit.leave() for visit in visits)
    return visits, [f"{type(one).__name__}: {one}" for one in problems if isinstance(one, BaseException)]


async def _all(actions) -> list:
    return await asyncio.gather(*actions, return_exceptions=True)


def _times(turn: int, visits: list[Visit], one_pass: float) -> Iterator[Row]:
    for step in visits[0].times:
        took = np.array([seconds for visit in visits for seconds in visit.times[step]])
        goal = USERS * one_pass + ROOM if step == "upload to first heat map" else None
        yield Row(
            f"round {turn}, {USERS} users: {step}",
            percentiles(took),
            f"p95 ≤ {goal:.1f} s" if goal else "",
            bool(np.percentile(took, 95) <= goal) if goal else None,
            f"{len(took)} times, longest {took.max():.1f} s"
            + (f"; all at once; one forward pass took {one_pass:.3f} s" if goal else ""),
        )


def _correctness(turn: int, visits: list[Visit], problems: list[str]) -> Iterator[Row]:
    problems = problems + [error for visit in visits for error in visit.errors]
    yield Row(f"round {turn}: errors", f"{len(problems)}", "0", not problems, "; ".join(problems[:3]) or "none")
    own = sum(belongs(visit.image, visit.queries, visit.effects) for visit in visits)
    other = sum(belongs(visits[0].image, visit.queries, visit.effects) for visit in visits[1:3])
    yield Row(
        f"round {turn}: sessions whose numbers are those of their own image",
        f"{own} of {len(visits)}",
        f"{len(visits)}",
        own == len(visits) and not other,
        "queries of all layers, and the effects of ablating each head, against the same numbers computed outside; "
        f"{other} of 2 sessions agree with the image of another",
    )
