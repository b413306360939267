"""The explorer as a file: its size, the time to write it, and the time from opening it to the first answer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from playwright.sync_api import Browser

import vitviz
from scripts.app_server import launched_browser

from .browser import WINDOW
from .library import PHOTO
from .loading import LOADING
from .measure import Row, interleaved, ratio_row, spread

OPENINGS = 10
LARGEST = 5.5  # MB at 224 px
LIMITS = {224: 2.0, 518: 2.0}  # time to write, relative to a forward pass


def standalone() -> Iterator[Row]:
    """Write the file at 224 and 518 px, and open it at 224 px in a new browser context each time."""
    model = vitviz.load("dinov2-small")
    with TemporaryDirectory() as folder, launched_browser() as browser:
        path = Path(folder) / "cat.html"
        for size, limit in LIMITS.items():
            trace = model.trace(PHOTO, size=size)
            actions = (lambda trace=trace: trace.save_html(path), lambda size=size: model.trace(PHOTO, size=size))
            written, passes = interleaved(*actions, rounds=10, warm_up=2)
            name = f"explorer as a file, {size} px: written, against a forward pass"
            yield ratio_row(name, written, passes, ("file", "pass"), limit)
        model.trace(PHOTO, size=224).save_html(path, image=PHOTO)
        megabytes = path.stat().st_size / 1e6
        yield Row(
            "explorer as a file, 224 px, all layers: size",
            f"{megabytes:.2f} MB",
            f"≤ {LARGEST} MB",
            megabytes <= LARGEST,
            "with the original image; queries and keys in float16, deflated, in base 85",
        )
        seconds = np.array([_opened(browser, path) for _ in range(OPENINGS + 1)])[1:] / 1e3
    yield Row(
        "explorer as a file, 224 px: opened to first answer to the pointer",
        f"{np.median(seconds):.2f} s",
        "≤ 1 s",
        bool(np.median(seconds) <= 1),
        f"{spread(seconds, 's')}, {OPENINGS} openings from the disk, with the page's clock, which begins with the "
        "navigation; the pointer moves in every frame",
    )


def _opened(browser: Browser, path: Path) -> float:
    """Open the file, and return the time until its first answer, milliseconds."""
    with browser.new_context(viewport=WINDOW) as context:
        page = context.new_page()
        page.add_init_script(LOADING)
        page.goto(path.as_uri(), wait_until="commit")
        return page.wait_for_function("() => window.loaded.answers", polling="raf").json_value()
