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
class Place:
    """A component that draws something for the patch under the pointer.

    Attributes:
        path: the page's path and parameters.
        root: the component's test id.
        image: that of its picture.
        shows: the data attribute that tells which token is drawn.
        ready: what else has to be there before anything is measured, as selectors.
    """

    path: str
    root: str
    image: str
    shows: str
    ready: tuple[str, ...] = ()


CHARTS = tuple(f".st-key-{chart} .js-plotly-plot .main-svg" for chart in ("sorted", "matrix", "distance", "entropy"))
EXPLORER = Place("explore?image=cat&layer=12&head=1", "explorer", "explorer-image", "query", CHARTS)
SIMILARITY = Place("tokens?image=cat&layer=12&section=Similarity", "similarity", "patch-picker-image", "source")


@dataclass(frozen=True)
class Hovered:
    """Such a component in a page, loaded and quiet.

    Attributes:
        place: which one.
        page: the page.
        root: its root element.
        side: patches in a row and in a column.
        sent: the websocket messages that the page has sent; the list goes on growing.
    """

    place: Place
    page: Page
    root: ElementHandle
    side: int
    sent: list[bytes | str]

    def patches(self) -> list[tuple[int, int]]:
        """All patches as (row, column), mixed, but in the same way each time."""
        places = [(row, column) for row in range(self.side) for column in range(self.side)]
        random.Random(0).shuffle(places)
        return places

    def middle(self, row: int, column: int) -> tuple[float, float]:
        """Where the middle of a patch is in the window."""
        box = self.page.get_by_test_id(self.place.image).bounding_box()
        return box["x"] + (column + 0.5) / self.side * box["width"], box["y"] + (row + 0.5) / self.side * box["height"]

    def point(self, row: int, column: int) -> None:
        """Move the pointer to a patch and wait until what belongs to it is drawn."""
        self.page.mouse.move(*self.middle(row, column))
        token = CONFIG.num_prefix_tokens + row * self.side + column
        self.page.wait_for_function(
            "([root, shows, token]) => root.dataset[shows] === token",
            arg=[self.root, self.place.shows, str(token)],
            polling="raf",
        )

    def settle(self) -> None:
        """Wait until the script has run, and a second more."""
        self.page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]")
        self.page.wait_for_timeout(1000)


@contextmanager
def opened(place: Place, size: int) -> Iterator[Hovered]:
    """A new app, and a browser that shows the cat at such a place, the model's input being `size` pixels."""
    sent = []
    with running_app() as url, launched_browser() as browser:
        page = browser.new_page(viewport=WINDOW)
        page.set_default_timeout(LOADED_WITHIN)
        page.on("websocket", lambda socket: socket.on("framesent", lambda message: sent.append(message)))
        page.goto(f"{url}/{place.path}&size={size}&fit=crop")
        root = page.wait_for_selector(f"[data-testid={place.root}][data-{place.shows}]")
        for selector in place.ready:
            page.wait_for_selector(selector, state="attached")
        found = Hovered(place, page, root, size // CONFIG.patch_size, sent)
        found.settle()
        page.get_by_test_id(place.image).scroll_into_view_if_needed()
        yield found


@dataclass(frozen=True)
class Hovers:
    """What 200 pointer moves cost.

    Attributes:
        scripting: the component's own measure of each drawing, `vitviz-draw`, milliseconds.
        latency: from the pointer's event to the end of the frame that shows it, milliseconds.
        messages: what the page sent meanwhile.
    """

    scripting: np.ndarray
    latency: np.ndarray
    messages: list[bytes | str]

    def __str__(self) -> str:
        low, high = np.percentile(self.scripting, (25, 75))
        return (
            f"the component's performance.measure('vitviz-draw') of {len(self.scripting)} drawings, middle half "
            f"{low:.1f} to {high:.1f} ms, longest {self.scripting.max():.1f} ms; from the pointer's event to the "
            f"end of its frame on the main thread (script, style, layout, paint) median {np.median(self.latency):.1f}, "
            f"p95 {np.percentile(self.latency, 95):.1f} ms"
        )


def hover() -> Iterator[Row]:
    """Point at 200 patches one after the other, all layers live (224 px) and one layer live (518 px)."""
    explorer = hovers = hovers_at(EXPLORER, 224)
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
    hovers = hovers_at(SIMILARITY, 224)
    ratio = np.median(hovers.latency) / np.median(explorer.latency)
    yield Row(
        "similarity under the pointer, 224 px, against the explorer's hover",
        f"{ratio:.2f} ×",
        "≤ 1.00 ×",
        bool(ratio <= 1),
        f"medians from the pointer's event to its frame's end; {hovers}; {len(hovers.messages)} websocket messages",
    )
    hovers = hovers_at(EXPLORER, 518)
    median, p95 = np.percentile(hovers.scripting, (50, 95))
    yield Row(
        "hover, 518 px: the framed layer follows, the others show the pin",
        f"median {median:.1f}, p95 {p95:.1f} ms",
        "",
        None,
        f"{hovers}; {len(hovers.messages)} websocket messages",
    )


def hovers_at(place: Place, size: int) -> Hovers:
    """Move the pointer to 200 different patches, each time waiting until its picture is drawn."""
    with opened(place, size) as hovered:
        patches = hovered.patches()
        for patch in patches[-20:]:  # the browser compiles what it sees often
            hovered.point(*patch)
        hovered.settle()
        latency = hovered.root.evaluate_handle(HOVERING, f"data-{place.shows}")
        already = len(hovered.sent)
        for patch in patches[:MOVES]:
            hovered.point(*patch)
        hovered.settle()
        scripting = hovered.page.evaluate(
            "() => performance.getEntriesByName('vitviz-draw', 'measure').map((entry) => entry.duration)"
        )
        if len(scripting) < MOVES:
            raise RuntimeError(f"The component measured {len(scripting)} drawings while pointing at {MOVES} patches.")
        return Hovers(np.array(scripting), np.array(latency.json_value()), hovered.sent[already:])


def kind_of(message: bytes | str) -> str:
    """What a message to Streamlit's server is about, such as `"rerun_script"`."""
    return BackMsg.FromString(message).WhichOneof("type") if isinstance(message, bytes) else "text"


def pin() -> Iterator[Row]:
    """Click on patches and wait for the panels below."""
    waits = []
    with opened(EXPLORER, 224) as explorer:
        for row, column in explorer.patches()[: PINS + 2]:
            explorer.settle()
            words = f"Layer 12, head 1, patch ({row + 1}, {column + 1})"
            explorer.page.evaluate(PINNING, words)
            explorer.page.mouse.click(*explorer.middle(row, column))
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
