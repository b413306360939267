"""First visit over a slow connection: time to the image, to the first response to hovering, and to another layer."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from playwright.sync_api import Browser, BrowserContext, Page

from scripts.app_server import launched_browser, running_app

from .browser import CHARTS, LOAD_TIMEOUT, WINDOW
from .line import Line, line_to
from .measure import Row, spread

LOADING, CHOOSING = ((Path(__file__).parent / name).read_text("utf-8") for name in ("loading.js", "choosing.js"))
PATH = "explore?image=cat"
ROUND_TRIP = 0.06  # seconds
VISITS = 5
STAGES = ("outline", "image", "answers", "charts")
NAMES = {"image": "image and layout", "answers": "response to hovering"}


def first_visit() -> Iterator[Row]:
    """Open Explore without a browser cache at 10 and 4 Mbit/s, after a first visit has warmed up the server."""
    with running_app() as url, launched_browser() as browser:
        visit(browser, url)
        near = [visit(browser, url) for _ in range(VISITS)]
        for megabits, limits in ((10, {"image": 3, "answers": 5}), (4, {"image": None, "answers": None})):
            with line_to(url, megabits, ROUND_TRIP) as (slow, line):
                visits = [measured(browser, slow, line) for _ in range(VISITS)]
            carried = np.median([one["carried"] for one in visits]) / 1e6
            for stage, limit in limits.items():
                seconds = np.array([one[stage] for one in visits]) / 1e3
                yield Row(
                    f"first visit to Explore, {megabits} Mbit/s, 60 ms: {NAMES[stage]}",
                    f"{np.median(seconds):.1f} s",
                    f"≤ {limit} s" if limit else "",
                    bool(np.median(seconds) <= limit) if limit else None,
                    f"{spread(seconds, 's')}, {VISITS} visits; medians with the page's clock: {medians(visits)}; "
                    f"without the slow connection, for comparison: {medians(near)}; "
                    f"{carried:.1f} MB in total",
                )


def slow_line() -> Iterator[Row]:
    """Open Explore at 10 Mbit/s, hover, and choose the layer that would be the last to arrive."""
    with running_app() as url, launched_browser() as browser:
        visit(browser, url)
        with line_to(url, 10, ROUND_TRIP) as (slow, _):
            visits = [choosing(browser, slow) for _ in range(VISITS)]
    for begin, end, name, limit in (
        ("first-contentful-paint", "answers", "first contentful paint to first answered hover", 1),
        ("image", "answers", "image shown to first answered hover", None),
        ("first-paint", "answers", "first paint, an empty outline, to first answered hover", None),
        ("clicked", "chosen", "a layer that has not arrived: chosen to shown", None),
    ):
        seconds = np.array([one[end] - one[begin] for one in visits]) / 1e3
        yield Row(
            f"slow line, 10 Mbit/s, 60 ms: {name}",
            f"{np.median(seconds):.2f} s",
            f"≤ {limit} s" if limit else "",
            bool(np.median(seconds) <= limit) if limit else None,
            f"{spread(seconds, 's')}, {VISITS} visits without a browser cache, with the page's clock",
        )


def choosing(browser: Browser, url: str) -> dict[str, float]:
    """Open the page in a new browser context, and choose another layer after the first response to hovering."""
    context, page = opening(browser, url)
    page.wait_for_function("() => window.loaded.answers", polling="raf")
    page.evaluate(CHOOSING)
    page.wait_for_function("() => window.loaded.chosen", polling="raf")
    loaded = page.evaluate("window.loaded")
    context.close()
    return loaded


def medians(visits: list[dict[str, float]]) -> str:
    """Format the median time of each stage."""
    return ", ".join(f"{stage} {np.median([one[stage] for one in visits]) / 1e3:.1f} s" for stage in STAGES)


def measured(browser: Browser, url: str, line: Line) -> dict[str, float]:
    """Measure a visit: milliseconds to each stage, and bytes transferred."""
    already = line.carried
    return visit(browser, url) | {"carried": line.carried - already}


def visit(browser: Browser, url: str) -> dict[str, float]:
    """Open the page in a new browser context and wait for all stages."""
    context, page = opening(browser, url)
    for chart in CHARTS:
        page.wait_for_selector(chart, state="attached")
    page.wait_for_function("stages => stages.every((stage) => stage in window.loaded)", arg=list(STAGES))
    loaded = page.evaluate("window.loaded")
    context.close()
    return loaded


def opening(browser: Browser, url: str) -> tuple[BrowserContext, Page]:
    """Begin to open the page in a new browser context, which records the stages."""
    context = browser.new_context(viewport=WINDOW)
    page = context.new_page()
    page.set_default_timeout(LOAD_TIMEOUT)
    page.add_init_script(LOADING)
    page.goto(f"{url}/{PATH}", wait_until="commit")
    return context, page
