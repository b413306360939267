"""Event loops of tests: each in a thread of its own, for the browser tests have one in theirs."""

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

PATIENCE = 240  # seconds


def run_to_its_end(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine and return its result."""

    async def patiently() -> Any:
        return await asyncio.wait_for(coroutine, PATIENCE)

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, patiently()).result()
