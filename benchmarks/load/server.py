"""Server on two cores, its resources, and images to upload.

Figures have the names of Streamlit's own load tests (e2e_playwright/load_testing) where it measures the same:
`initial_load_time`, `rerun_time`, `memory_rss_mb_start`, `_end`, `_peak` and `_growth`, `thread_count_max`.
"""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from urllib.parse import urlsplit

import numpy as np
import psutil
from PIL import Image

from scripts.app_server import running_app

USERS = 30
CORES = 2
PHOTO = (3000, 4000)  # pixels, as of phones
ZONE, MAP, EXPLORER = "sidebar_upload_0", "explorer_part_layer", "explorer"  # keys of elements
INTERVAL = 0.5  # seconds between two samples of the memory


@contextmanager
def server(environment: Mapping[str, str] | None = None) -> Iterator[str]:
    """Run the app on `CORES` cores until the `with` block ends; other systems than Linux use all cores.

    Args:
        environment: further environment variables.

    Yields:
        Address of the app.
    """
    with ExitStack() as stack:
        with _few_cores():  # inherited by the server
            url = stack.enter_context(running_app(environment=environment))
        yield url


@contextmanager
def _few_cores() -> Iterator[None]:
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    own = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(own)[:CORES])
    try:
        yield
    finally:
        os.sched_setaffinity(0, own)


def process_of(url: str) -> psutil.Process:
    """Return the process of the server at an address."""
    port = f"--server.port={urlsplit(url).port}"
    return next(one for one in psutil.process_iter(["cmdline"]) if port in (one.info["cmdline"] or ()))


def memory(url: str) -> float:
    """Return the resident memory of the server in megabytes."""
    return process_of(url).memory_info().rss / 1e6


class Memory:
    """Samples of the resident memory and the threads of a process, taken in a thread inside of a `with` block.

    Attributes:
        rss: resident memory, megabytes.
        threads: number of threads.
    """

    def __init__(self, url: str):
        self._process, self._ended = process_of(url), threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.rss: list[float] = []
        self.threads: list[int] = []

    def __enter__(self) -> Memory:
        self._sample()
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()

    def __str__(self) -> str:
        start, end = self.rss[0], self.rss[-1]
        return (
            f"memory_rss_mb_start {start:.0f}, memory_rss_mb_peak {max(self.rss):.0f}, memory_rss_mb_end {end:.0f}, "
            f"memory_rss_mb_growth {end - start:+.0f}, thread_count_max {max(self.threads)}"
        )

    def stop(self) -> None:
        """End the sampling with a last sample; without effect if it has ended."""
        if not self._ended.is_set():
            self._ended.set()
            self._thread.join()
            self._sample()

    def _run(self) -> None:
        while not self._ended.wait(INTERVAL):
            self._sample()

    def _sample(self) -> None:
        self.rss.append(self._process.memory_info().rss / 1e6)
        self.threads.append(self._process.num_threads())


def photo(seed: int) -> bytes:
    """Return a unique image as JPEG."""
    random = np.random.default_rng(seed)
    coarse = Image.fromarray(random.integers(0, 255, (60, 80, 3), dtype=np.uint8))
    buffer = io.BytesIO()
    coarse.resize(PHOTO[::-1], Image.Resampling.BICUBIC).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def percentiles(seconds: np.ndarray) -> str:
    """Format the percentiles of some durations."""
    return "p50 {:.1f}, p95 {:.1f}, p99 {:.1f} s".format(*np.percentile(seconds, [50, 95, 99]))
