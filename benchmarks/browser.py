"""The app in a real Chromium: hovering, the messages it sends, and how fast the panels follow a pin."""

import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from playwright.sync_api import ElementHandle, Page, TimeoutError
from streamlit.proto.BackMsg_pb2 import BackMsg

from scripts.app_server import launched_browser, running_app
from vitviz.zoo import SHIPPED

from .measure import Row, spread

FOLDER = Path(__file__).parent
HOVERING = (FOLDER / "hovering.js").read_text("utf-8")
PINNING = (FOLDER / "pinning.js").read_text("utf-8")
DRAWING = (FOLDER / "drawing.js").read_text("utf-8")
CONFIG = SHIPPED["dinov2-small"].config
WINDOW = {"width": 1366, "height": 768}
MOVES = 200
PINS = 10
STROKES = 10
LOADED_WITHIN = 120_000  # milliseconds; the first visitor waits for the model and the statistics of all heads


@dataclass(frozen=True)
class Explorer:
    """The explorer in a page, loaded and quiet.

    Attributes:
        page: the page.
        root: the explorer's root element.
        side: patches in a row and in a column.
        sent: the websocket messages that the page has sent; the list goes on growing.
    """

    page: Page
    root: ElementHandle
    side: int
    sent: list[bytes | str]

    def patches(self) -> list[tuple[int, int]]:
        """All patches as (row, column), mixed, but in the same way each time."""
        places = [(row, column) for row in range(self.side) for column in range(self.side)]
        random.Random(0).shuffle(places)
        return places

    def place(self, row: int, column: int) -> tuple[float, float]:
        """Where the middle of a patch is in the window."""
        box = self.page.get_by_test_id("explorer-image").bounding_box()
        return box["x"] + (column + 0.5) / self.side * box["width"], box["y"] + (row + 0.5) / self.side * box["height"]

    def point(self, row: int, column: int) -> None:
        """Move the pointer to a patch and wait until the explorer has drawn what is seen from it."""
        self.page.mouse.move(*self.place(row, column))
        token = CONFIG.prefix + row * self.side + column
        self.page.wait_for_function(
            "([root, token]) => root.dataset.query === token", arg=[self.root, str(token)], polling="raf"
        )

    def settle(self) -> None:
        """Wait until the script has run, and a second more."""
        self.page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]")
        self.page.wait_for_timeout(1000)


@contextmanager
def explorer_of(size: int) -> Iterator[Explorer]:
    """A new app, and a browser that shows the cat in the explorer, the model's input being `size` pixels."""
    sent = []
    with running_app() as url, launched_browser() as browser:
        page = browser.new_page(viewport=WINDOW)
        page.set_default_timeout(LOADED_WITHIN)
        page.on("websocket", lambda socket: socket.on("framesent", lambda message: sent.append(message)))
        page.goto(f"{url}/explore?image=cat&size={size}&fit=crop&layer=12&head=1")
        root = page.wait_for_selector("[data-testid=explorer][data-query]")
        for chart in ("sorted", "matrix", "distance", "entropy"):
            page.wait_for_selector(f".st-key-{chart} .js-plotly-plot .main-svg", state="attached")
        explorer = Explorer(page, root, size // CONFIG.patch, sent)
        explorer.settle()
        yield explorer


@dataclass(frozen=True)
class Hovers:
    """What 200 pointer moves cost.

    Attributes:
        scripting: the explorer's own measure of each drawing, `vitviz-draw`, milliseconds.
        latency: from the pointer's event to the end of the frame that shows it, milliseconds.
        messages: what the page sent meanwhile.
    """

    scripting: np.ndarray
    latency: np.ndarray
    messages: list[bytes | str]

    def __str__(self) -> str:
        low, high = np.percentile(self.scripting, (25, 75))
        return (
            f"the explorer's performance.measure('vitviz-draw') of {len(self.scripting)} drawings, middle half "
            f"{low:.1f} to {high:.1f} ms, longest {self.scripting.max():.1f} ms; from the pointer's event to the "
            f"end of its frame on the main thread (script, style, layout, paint) median {np.median(self.latency):.1f}, "
            f"p95 {np.percentile(self.latency, 95):.1f} ms"
        )


def hover() -> Iterator[Row]:
    """Point at 200 patches one after the other, all layers live (224 px) and one layer live (518 px)."""
    hovers = hovers_at(224)
    median, p95 = np.percentile(hovers.scripting, (50, 95))
    yield Row(
        "hover, 224 px: compute and paint overlay and 72 thumbnails",
        f"median {median:.1f}, p95 {p95:.1f} ms",
        "median ≤ 8, p95 ≤ 16 ms",
        bool(median <= 8 and p95 <= 16),
        str(hovers),
    )
    kinds = Counter(kind_of(message) for message in hovers.messages)
    yield Row(
        f"websocket messages sent during these {MOVES} hovers",
        f"{len(hovers.messages)}",
        "0",
        not hovers.messages,
        "every data frame that the page sends from the first move to a second after the last, whatever it is about "
        "(pings and pongs of the protocol itself are none); they were: "
        + (", ".join(f"{count} {kind}" for kind, count in kinds.items()) or "none"),
    )
    hovers = hovers_at(518)
    median, p95 = np.percentile(hovers.scripting, (50, 95))
    yield Row(
        "hover, 518 px: the framed layer follows, the others show the pin",
        f"median {median:.1f}, p95 {p95:.1f} ms",
        "",
        None,
        f"{hovers}; {len(hovers.messages)} websocket messages",
    )


def hovers_at(size: int) -> Hovers:
    """Move the pointer to 200 different patches, each time waiting until its picture is drawn."""
    with explorer_of(size) as explorer:
        patches = explorer.patches()
        for place in patches[-20:]:  # the browser compiles what it sees often
            explorer.point(*place)
        explorer.settle()
        latency = explorer.root.evaluate_handle(HOVERING)
        already = len(explorer.sent)
        for place in patches[:MOVES]:
            explorer.point(*place)
        explorer.settle()
        scripting = explorer.page.evaluate(
            "() => performance.getEntriesByName('vitviz-draw', 'measure').map((entry) => entry.duration)"
        )
        if len(scripting) < MOVES:
            raise RuntimeError(f"The explorer measured {len(scripting)} drawings while pointing at {MOVES} patches.")
        return Hovers(np.array(scripting), np.array(latency.json_value()), explorer.sent[already:])


def kind_of(message: bytes | str) -> str:
    """What a message to Streamlit's server is about, such as `"rerun_script"`."""
    return BackMsg.FromString(message).WhichOneof("type") if isinstance(message, bytes) else "text"


def pin() -> Iterator[Row]:
    """Click on patches and wait for the panels below."""
    waits = []
    with explorer_of(224) as explorer:
        for row, column in explorer.patches()[: PINS + 2]:
            explorer.settle()
            words = f"Layer 12, head 1, patch ({row + 1}, {column + 1})"
            explorer.page.evaluate(PINNING, words)
            explorer.page.mouse.click(*explorer.place(row, column))
            try:
                waits.append(explorer.page.wait_for_function("() => window.pinned", timeout=30_000).json_value())
            except TimeoutError as error:
                raise RuntimeError(
                    f"Half a minute after the click no panel says “{words}” over a new chart."
                ) from error
    waits = waits[2:]  # the first ones warm up server and browser
    total = np.array([wait["all"] for wait in waits])
    parts = [f"{name} {np.median([wait[name] for wait in waits]):.0f} ms" for name in ("text", "chart")]
    yield Row(
        "pin to Plotly panels updated, 224 px",
        f"{np.median(total) / 1e3:.2f} s",
        "≤ 0.5 s",
        bool(np.median(total) <= 500),
        f"{spread(total, 'ms')}, longest {total.max():.0f} ms, {len(waits)} pins; on the page's own clock from the "
        f"click to the frame after the last change; medians by panel: {', '.join(parts)}",
    )


def draw() -> Iterator[Row]:
    """Draw strokes on the pad and wait for the prediction after each."""
    waits = []
    with running_app() as url, launched_browser() as browser:
        page = browser.new_page(viewport=WINDOW)
        page.set_default_timeout(LOADED_WITHIN)
        page.goto(f"{url}/explore?model=digits")
        page.wait_for_selector("[data-testid=prediction]")
        for stroke in range(STROKES + 2):
            page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]")
            page.wait_for_timeout(1500)
            box = page.locator("canvas.upper-canvas").bounding_box()
            x, y = box["x"] + 30 + 15 * stroke, box["y"] + 40
            page.evaluate(DRAWING)
            page.mouse.move(x, y)
            page.mouse.down()
            page.mouse.move(x + 15, y + 150, steps=10)
            page.mouse.up()
            waits.append(page.wait_for_function("() => window.predicted", timeout=30_000).json_value())
    total = np.array(waits[2:])  # the first ones warm up server and browser
    yield Row(
        "pen lifted to prediction shown, digits",
        f"{np.median(total) / 1e3:.2f} s",
        "≤ 0.5 s",
        bool(np.median(total) <= 500),
        f"{spread(total, 'ms')}, longest {total.max():.0f} ms, {len(total)} strokes; on the page's own clock",
    )
