"""App in Chromium: hovering, websocket messages, and updates of the panels after pinning."""

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
LOAD_TIMEOUT = 120_000  # milliseconds; the first user waits for the model and the statistics of all heads


@dataclass(frozen=True)
class Place:
    """Component that draws a map for the patch under the pointer.

    Attributes:
        path: path and parameters of the page.
        root: test id of the component.
        image: test id of its image.
        shows: data attribute with the token drawn.
        ready: selectors of other elements that must exist before measuring.
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
    """Component in a loaded, idle page.

    Attributes:
        place: component.
        page: page.
        root: root element of the component.
        side: number of patches per row and column.
        sent: websocket messages sent by the page so far.
    """

    place: Place
    page: Page
    root: ElementHandle
    side: int
    sent: list[bytes | str]

    def patches(self) -> list[tuple[int, int]]:
        """Return all patches as (row, column) in a fixed random order."""
        places = [(row, column) for row in range(self.side) for column in range(self.side)]
        random.Random(0).shuffle(places)
        return places

    def centre(self, row: int, column: int) -> tuple[float, float]:
        """Return the centre of a patch in window coordinates."""
        box = self.page.get_by_test_id(self.place.image).bounding_box()
        return box["x"] + (column + 0.5) / self.side * box["width"], box["y"] + (row + 0.5) / self.side * box["height"]

    def point(self, row: int, column: int) -> None:
        """Move the pointer to a patch and wait until its map is drawn."""
        self.page.mouse.move(*self.centre(row, column))
        token = CONFIG.num_prefix_tokens + row * self.side + column
        self.page.wait_for_function(
            "([root, shows, token]) => root.dataset[shows] === token",
            arg=[self.root, self.place.shows, str(token)],
            polling="raf",
        )

    def settle(self) -> None:
        """Wait until the script has finished, and one second more."""
        self.page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]")
        self.page.wait_for_timeout(1000)


@contextmanager
def opened(place: Place, size: int) -> Iterator[Hovered]:
    """Start an app and a browser with the cat image in a component, at an input size of `size` pixels."""
    with running_app() as url, opened_at(url, place, size) as hovered:
        yield hovered


@contextmanager
def opened_at(url: str, place: Place, size: int) -> Iterator[Hovered]:
    """Start a browser with the cat image in a component of a running app, at an input size of `size` pixels."""
    sent = []
    with launched_browser() as browser:
        page = browser.new_page(viewport=WINDOW)
        page.set_default_timeout(LOAD_TIMEOUT)
        page.on("websocket", lambda socket: socket.on("framesent", lambda message: sent.append(message)))
        page.goto(f"{url}/{place.path}&size={size}&fit=crop")
        root = page.wait_for_selector(f"[data-testid={place.root}][data-{place.shows}]")
        for selector in place.ready:
            page.wait_for_selector(selector, state="attached")
        hovered = Hovered(place, page, root, size // CONFIG.patch_size, sent)
        hovered.settle()
        page.get_by_test_id(place.image).scroll_into_view_if_needed()
        yield hovered


@dataclass(frozen=True)
class Hovers:
    """Cost of 200 pointer moves.

    Attributes:
        scripting: duration of each drawing, measured by the component as `vitviz-draw`, milliseconds.
        latency: time from the pointer event to the end of its frame, milliseconds.
        messages: websocket messages sent meanwhile.
    """

    scripting: np.ndarray
    latency: np.ndarray
    messages: list[bytes | str]

    def __str__(self) -> str:
        low, high = np.percentile(self.scripting, (25, 75))
        return (
            f"the component's performance.measure('vitviz-draw') of {len(self.scripting)} drawings, quartiles "
            f"{low:.1f} to {high:.1f} ms, longest {self.scripting.max():.1f} ms; from the pointer's event to the "
            f"end of its frame on the main thread (script, style, layout, paint) median {np.median(self.latency):.1f}, "
            f"p95 {np.percentile(self.latency, 95):.1f} ms"
        )


def hover() -> Iterator[Row]:
    """Point at 200 patches, with all layers live (224 px) and with one layer live (518 px)."""
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
        "all data frames sent by the page from the first move to one second after the last, "
        "without the protocol's pings and pongs: "
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
    """Move the pointer to 200 different patches, waiting for each map."""
    with opened(place, size) as hovered:
        return hovers_over(hovered)


def hovers_over(hovered: Hovered) -> Hovers:
    """Move the pointer to 200 different patches of an open page, waiting for each map."""
    patches = hovered.patches()
    for patch in patches[-20:]:  # warm up the browser's just-in-time compiler
        hovered.point(*patch)
    hovered.settle()
    latency = hovered.root.evaluate_handle(HOVERING, f"data-{hovered.place.shows}")
    already = len(hovered.sent)
    for patch in patches[:MOVES]:
        hovered.point(*patch)
    hovered.settle()
    scripting = hovered.page.evaluate(
        "() => performance.getEntriesByName('vitviz-draw', 'measure').map((entry) => entry.duration)"
    )
    if len(scripting) < MOVES:
        raise RuntimeError(f"The component measured {len(scripting)} drawings for {MOVES} patches.")
    return Hovers(np.array(scripting), np.array(latency.json_value()), hovered.sent[already:])


def kind_of(message: bytes | str) -> str:
    """Return the type of a message to Streamlit's server, such as `"rerun_script"`."""
    return BackMsg.FromString(message).WhichOneof("type") if isinstance(message, bytes) else "text"


def pin() -> Iterator[Row]:
    """Pin patches and wait for the panels below."""
    waits = []
    with opened(EXPLORER, 224) as explorer:
        for row, column in explorer.patches()[: PINS + 2]:
            explorer.settle()
            label = f"Layer 12, head 1, patch ({row + 1}, {column + 1})"
            explorer.page.evaluate(PINNING, label)
            explorer.page.mouse.click(*explorer.centre(row, column))
            try:
                waits.append(explorer.page.wait_for_function("() => window.pinned", timeout=30_000).json_value())
            except TimeoutError as error:
                raise RuntimeError(f"No panel shows “{label}” with a new chart 30 s after the click.") from error
    waits = waits[2:]  # drop the warm-up
    total = np.array([wait["all"] for wait in waits])
    parts = [f"{name} {np.median([wait[name] for wait in waits]):.0f} ms" for name in ("text", "chart")]
    yield Row(
        "pin to Plotly panels updated, 224 px",
        f"{np.median(total) / 1e3:.2f} s",
        "≤ 0.5 s",
        bool(np.median(total) <= 500),
        f"{spread(total, 'ms')}, longest {total.max():.0f} ms, {len(waits)} pins; page's clock from the click to "
        f"the frame after the last change; medians by panel: {', '.join(parts)}",
    )


def draw() -> Iterator[Row]:
    """Draw strokes on the pad and wait for the prediction after each of them."""
    waits = []
    with running_app() as url, launched_browser() as browser:
        page = browser.new_page(viewport=WINDOW)
        page.set_default_timeout(LOAD_TIMEOUT)
        page.goto(f"{url}/explore?model=digits")
        page.wait_for_selector("[data-testid=prediction]")
        for stroke in range(STROKES + 2):
            page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]")
            page.wait_for_timeout(1500)
            box = page.locator("canvas.upper-canvas:visible").bounding_box()
            x, y = box["x"] + 30 + 15 * stroke, box["y"] + 40
            page.evaluate(DRAWING)
            page.mouse.move(x, y)
            page.mouse.down()
            page.mouse.move(x + 15, y + 150, steps=10)
            page.mouse.up()
            waits.append(page.wait_for_function("() => window.predicted", timeout=30_000).json_value())
    total = np.array(waits[2:])  # drop the warm-up
    yield Row(
        "pen lifted to prediction shown, digits",
        f"{np.median(total) / 1e3:.2f} s",
        "≤ 0.5 s",
        bool(np.median(total) <= 500),
        f"{spread(total, 'ms')}, longest {total.max():.0f} ms, {len(total)} strokes; measured with the page's clock",
    )
