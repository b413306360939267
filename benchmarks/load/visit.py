"""Visit of one user, who looks at all pages and starts one slow computation."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict

import numpy as np

from ..session import Session
from .outside import effects_sent, queries_sent
from .server import EXPLORER, MAP, ZONE

PAUSE = (0.5, 2.5)  # seconds between two actions
PINS = 4
PAGES = ("sequence", "attention", "tokens", "explain", "lens", "")  # besides Explore and Intervene; "" is Start


class Visit:
    """Visit of one user with their own image.

    Attributes:
        times: seconds of each action by the name of its step, in order.
        queries: queries sent after the upload, by layer.
        effects: effects sent after the sweep; None before.
        errors: error messages shown on the pages.

    Args:
        url: address of the app.
        image: image to upload.
        random: generator for pauses and pins.
    """

    def __init__(self, url: str, image: bytes, random: np.random.Generator):
        self.image, self._random, self._session = image, random, Session(url)
        self.times: dict[str, list[float]] = defaultdict(list)
        self.queries: dict[int, np.ndarray] = {}
        self.effects: np.ndarray | None = None

    @property
    def errors(self) -> list[str]:
        """Error messages shown on the pages so far."""
        return self._session.errors

    async def arrive(self, after: float) -> None:
        """Open Explore, with a sample, after some seconds."""
        await asyncio.sleep(after)
        await self._session.connect()
        self.times["initial_load_time"].append(await self._session.open("explore"))

    async def upload(self) -> float:
        """Upload the image. Returns the time at which its first heat map was complete, from `time.perf_counter`."""
        began = time.perf_counter()
        took = await self._session.upload(self.image, ZONE, shown=MAP)
        self.times["upload to first heat map"].append(took)
        shown = began + took
        self.queries = queries_sent(self._session.elements, await self._session.fetch(EXPLORER))
        return shown

    async def look_around(self, until: float) -> None:
        """Pin patches, open all pages and run a sweep of all heads; then pin patches until a time of the loop."""
        for _ in range(PINS):
            await self._pin()
        for page in PAGES:
            await self._pause()
            self.times["other page open"].append(await self._session.open(page))
        await self._pause()
        self.times["other page open"].append(await self._session.open("intervene"))
        self.times["sweep of all heads, with queue"].append(await self._session.click("sweep_run"))
        self.effects = effects_sent(self._session.elements)
        await self._pause()
        self.times["other page open"].append(await self._session.open("explore"))
        while asyncio.get_running_loop().time() < until:
            await self._pin()

    async def leave(self) -> None:
        """Close the tab."""
        await self._session.leave()

    async def _pin(self) -> None:
        await self._pause()
        self.times["rerun_time of a pin"].append(await self._session.tell(EXPLORER, "view", self._other_patch))

    async def _pause(self) -> None:
        await asyncio.sleep(self._random.uniform(*PAUSE))

    def _other_patch(self, data: dict) -> dict:
        query = int(self._random.integers(1, 256))
        return {"view": data["view"] | {"query": query}, "places": data["places"]}
