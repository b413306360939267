"""Pictures of the README and of the guides: `make screenshots`."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, expect

import vitviz
from scripts.app_server import ROOT, launched_browser, running_app
from scripts.digits import as_picture, load_split
from scripts.documents import animation

README, GUIDES = ROOT / "assets" / "screenshots", ROOT / "docs" / "images"
MAX_BYTES = 150_000  # of a picture in a guide
WIDTH = 1200  # pixels of a picture in a guide
LAPTOP, PHONE = {"width": 1366, "height": 768}, {"width": 390, "height": 844}
VIEW = "explore?image=cat&layer=10&head=3&query=6-6"
DIGIT = "model=digits&image=digit-4"
# Hide the hint for users who have not pinned a patch yet.
POINTED = "localStorage.setItem('vitviz-has-pointed', 'yes')"
# Pages while a run is under way, and parts that are left over from an earlier run.
UNSETTLED = '[data-testid="stApp"]:not([data-test-script-state="notRunning"]), [data-stale="true"]'


@dataclass(frozen=True)
class Shot:
    """View of the app to take a picture of.

    Attributes:
        view: page and query parameters.
        ready: selector of elements that must be there.
        count: their number.
        top: selector of the element to scroll to the top; empty for the top of the page.
        viewport: size of the window.
        theme: colour scheme.
    """

    view: str
    ready: str
    count: int = 1
    top: str = ""
    viewport: dict[str, int] | None = None
    theme: str = "light"


_CHARTS = ".js-plotly-plot"
OF_README = {
    "explore-light.png": Shot(VIEW, _CHARTS, 4),
    "explore-dark.png": Shot(VIEW, _CHARTS, 4, theme="dark"),
    "explore-phone.png": Shot(VIEW, _CHARTS, 4, viewport=PHONE),
    "digits-light.png": Shot(f"explore?{DIGIT}&layer=6&head=2", _CHARTS, 4),
}
HOVERING = Shot("explore?image=cat&layer=10&head=3", _CHARTS, 4)  # no patch is pinned
OF_GUIDES = {
    "explore.webp": Shot(VIEW, _CHARTS, 4),
    "sequence.webp": Shot("sequence?image=cat&query=6-6", ".st-key-part_what_if h2", top=".st-key-part_splitting"),
    "attention.webp": Shot("attention?image=cat&query=6-6", ".st-key-part_reach h2", top=".st-key-part_scores"),
    "tokens.webp": Shot("tokens?image=cat", ".st-key-pca_strip"),
    "explain.webp": Shot(f"explain?{DIGIT}", '[data-testid="explanation"]', 4),
    "intervene.webp": Shot(f"intervene?{DIGIT}", ".st-key-bench_answer table"),
    "lens.webp": Shot(f"lens?{DIGIT}", ".st-key-lens_patch .js-plotly-plot"),
    "collection.webp": Shot(
        "collection?position=5", ".js-plotly-plot canvas.gl-canvas-focus", top=".st-key-collection_section"
    ),
    "teach.webp": Shot("teach?image=cat&source=example", '[data-testid="confusion"]'),
}


def main() -> None:
    """Take all pictures, and record the animation."""
    with (
        tempfile.TemporaryDirectory(prefix="vitviz-scans-") as runs,
        running_app(environment={"VITVIZ_RUNS": runs, "XDG_CACHE_HOME": f"{runs}/.cache"}) as url,
        launched_browser() as browser,
    ):
        scan_digits(Path(runs))

        def open_page(shot: Shot) -> Page:
            page = browser.new_page(viewport=shot.viewport or LAPTOP, color_scheme=shot.theme)
            page.add_init_script(POINTED)
            page.goto(f"{url}/{shot.view}")
            wait(page, shot)
            return page

        for folder, shots, save in ((README, OF_README, as_png), (GUIDES, OF_GUIDES, as_webp)):
            folder.mkdir(parents=True, exist_ok=True)
            for name, shot in shots.items():
                take(open_page(shot), folder / name, save)
        (README / animation.NAME).write_bytes(animation.record(open_page(HOVERING)))


def scan_digits(runs: Path) -> None:
    """Scan scikit-learn's digits, with their labels, for the page Collection."""
    source = runs / ".source"
    for part in load_split().values():
        for number, image, label in zip(part.numbers, part.images, part.labels, strict=True):
            file = source / str(label) / f"digit-{number:04d}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(as_picture(image)).save(file)
    vitviz.scan(source, vitviz.load("digits"), runs / "digits", labels="folders")


def wait(page: Page, shot: Shot) -> None:
    """Wait until a page is complete, and scroll to the chosen part."""
    expect(page.locator(shot.ready)).to_have_count(shot.count, timeout=120_000)
    expect(page.locator(UNSETTLED)).to_have_count(0, timeout=120_000)
    if shot.top:
        page.locator(shot.top).evaluate("part => part.scrollIntoView()")
    page.wait_for_timeout(1000)  # charts and maps are drawn after the page has settled


def take(page: Page, path: Path, save: Callable[[bytes], bytes]) -> None:
    """Save a picture of the window, and close the page."""
    path.write_bytes(save(page.screenshot()))
    page.close()


def as_png(data: bytes) -> bytes:
    """Return a screenshot unchanged."""
    return data


def as_webp(data: bytes) -> bytes:
    """Return a screenshot at the width of the guides as a WebP file of at most `MAX_BYTES` bytes.

    Raises:
        RuntimeError: if it is larger at the lowest quality.
    """
    image = Image.open(BytesIO(data)).convert("RGB")
    image = image.resize((WIDTH, round(WIDTH * image.height / image.width)), Image.Resampling.LANCZOS)
    for quality in (85, 75, 65, 50):
        buffer = BytesIO()
        image.save(buffer, "webp", quality=quality, method=6)
        if buffer.tell() <= MAX_BYTES:
            return buffer.getvalue()
    raise RuntimeError(f"The picture has more than {MAX_BYTES:,} bytes; choose a view with less detail.")


if __name__ == "__main__":
    main()
