"""App in Chromium: a region is drawn on the image, while all heads are ranked by its attention."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

import numpy as np

from .browser import CONFIG, EXPLORER, HOVERING, Hovered, opened
from .measure import Row

JUMPS = 100
Corner = tuple[int, int]


def region() -> Iterator[Row]:
    """Drag a rectangle over all patches of an image of 224 px, in small steps and in jumps of any size."""
    with opened(EXPLORER, 224) as explorer:
        page, last = explorer.page, explorer.side - 1
        page.get_by_role("button", name="Rectangle").click()
        page.mouse.move(*explorer.centre(0, 0))
        page.mouse.down()
        _reach(explorer, (0, 1))
        started = page.evaluate("() => performance.now()")
        page.wait_for_selector("[data-testid=explorer][data-prepared=true]")
        waited = page.evaluate("() => performance.now()") - started
        ways = {"in steps of one row or column": _path(last), "in jumps": _jumps(last)}
        for corner in ways["in jumps"][:20]:  # warm up the browser's just-in-time compiler
            _reach(explorer, corner)
        for name, corners in ways.items():
            scripting, latency = _dragged(explorer, corners)
            median, p95 = np.percentile(scripting, (50, 95))
            yield Row(
                f"rectangle of 2 to {explorer.side**2} patches dragged {name}, 224 px: mean rows and ranks of 72 heads",
                f"median {median:.1f}, p95 {p95:.1f} ms",
                "p95 ≤ 16 ms",
                bool(p95 <= 16),
                f"performance.measure('vitviz-draw') of {len(scripting)} drawings, longest {scripting.max():.1f} ms; "
                f"from the pointer's event to the end of its frame on the main thread median {np.median(latency):.1f}, "
                f"p95 {np.percentile(latency, 95):.1f} ms; the attention matrices of all heads were complete "
                f"{waited:.0f} ms after the first patch",
            )


def _path(last: int) -> list[Corner]:
    """Corners of a rectangle that grows to the whole image and shrinks again, by one row or column at a time."""
    growing = [corner for side in range(1, last + 1) for corner in ((side - 1, side), (side, side))]
    return [*growing, *growing[-2::-1]]


def _jumps(last: int) -> list[Corner]:
    """Different corners one after another, in a fixed random order."""
    generator = random.Random(0)
    corners = [(row, column) for row in range(last + 1) for column in range(last + 1) if row or column]
    return generator.sample(corners, JUMPS)


def _dragged(explorer: Hovered, corners: Sequence[Corner]) -> tuple[np.ndarray, np.ndarray]:
    """Return durations of the drawings and latencies of the pointer's events, milliseconds."""
    latency = explorer.root.evaluate_handle(HOVERING, "data-query")
    for corner in corners:
        _reach(explorer, corner)
    explorer.page.wait_for_timeout(500)
    script = "() => performance.getEntriesByName('vitviz-draw', 'measure').map((entry) => entry.duration)"
    scripting = explorer.page.evaluate(script)
    if len(scripting) < len(corners):
        raise RuntimeError(f"The explorer measured {len(scripting)} drawings for {len(corners)} rectangles.")
    latencies = np.array(latency.json_value(), float)
    return np.array(scripting), latencies[np.isfinite(latencies)]  # some drawings follow without an event


def _reach(explorer: Hovered, corner: Corner) -> None:
    """Drag the rectangle, which starts at the first patch, to this corner, and wait until it is drawn."""
    explorer.page.mouse.move(*explorer.centre(*corner))
    down, right = np.mgrid[: corner[0] + 1, : corner[1] + 1]
    tokens = CONFIG.num_prefix_tokens + (down * explorer.side + right).ravel()
    explorer.page.wait_for_function(
        "([root, tokens]) => root.dataset.query === tokens",
        arg=[explorer.root, ",".join(map(str, tokens))],
        polling="raf",
    )
