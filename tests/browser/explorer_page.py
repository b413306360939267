"""Page object of the Explore page, and of an explorer elsewhere."""

from __future__ import annotations

import re

import numpy as np
from playwright.sync_api import Locator, Page, expect

from tests.browser.layout import box_at_rest, settled
from vitviz.notation.view import View
from vitviz.trace.trace import Trace


class ExplorerPage:
    def __init__(self, page: Page, root: Locator | None = None):
        self.page = page
        self.root = root or page.get_by_test_id("explorer")  # of several on one page, this one
        self.image = self.root.get_by_test_id("explorer-image")
        self.overview = self.root.get_by_test_id("explorer-overview")
        self.status = self.root.get_by_test_id("explorer-status")
        self.legend = self.root.get_by_test_id("explorer-legend")

    def open(self, url: str) -> ExplorerPage:
        self.page.goto(url)
        return self.ready()

    def ready(self) -> ExplorerPage:
        expect(self.status).not_to_be_empty()
        expect(self.panel("Attention entropy")).to_be_visible()
        self.at_rest()
        return self

    def at_rest(self) -> None:
        """Wait until no run is under way, all layers are there, and no panel is left over from an earlier run."""
        settled(self.page)
        expect(self.root.locator("[data-ref=cells]")).to_have_attribute("aria-busy", "false")
        expect(self.page.locator(".js-plotly-plot")).to_have_count(4)

    # ---- what is shown

    def data(self, name: str) -> str:
        return self.root.get_attribute(f"data-{name}")

    @property
    def shown(self) -> View:
        """The view that is drawn now; its query is what the pointer or the pin asks about."""
        return _view(self.all_data())

    def all_data(self) -> dict[str, str]:
        """All data of one drawing, and its status line: of values read one by one, some could belong to the next."""
        status = "root.querySelector('[data-testid=explorer-status]').innerText"
        return self.root.evaluate(f"root => ({{ ...root.dataset, status: {status} }})")

    def panel(self, title: str) -> Locator:
        return self.page.get_by_test_id("stMarkdown").filter(has_text=title)

    def chart(self, key: str) -> list[dict]:
        """The data of a Plotly chart, as plotly.js holds it."""
        return self.page.locator(f".st-key-{key} .js-plotly-plot").evaluate(
            """chart => {
                 const plain = (v) => (v?.length && typeof v !== "string" ? Array.from(v, plain) : v);
                 return chart._fullData.map(({ x, y, z, name }) => ({ x: plain(x), y: plain(y), z: plain(z), name }));
               }"""
        )

    def box(self, locator: Locator) -> dict:
        """Box of an element, once the page is at rest: before that it may still move."""
        settled(self.page)
        return box_at_rest(locator)

    # ---- what is done

    def point_of(self, row: int, column: int, grid: tuple[int, int]) -> tuple[float, float]:
        box = self.box(self.image)
        return (
            box["x"] + box["width"] * (column + 0.5) / grid[1],
            box["y"] + box["height"] * (row + 0.5) / grid[0],
        )

    def hover(self, trace: Trace, token: int) -> None:
        self.page.mouse.move(*self.point_of(*divmod(token - trace.prefix, trace.grid[1]), trace.grid))
        expect(self.root).to_have_attribute("data-query", str(token))

    def click(self, trace: Trace, token: int) -> None:
        self.page.mouse.click(*self.point_of(*divmod(token - trace.prefix, trace.grid[1]), trace.grid))
        expect(self.root).to_have_attribute("data-pinned", str(token))

    def head(self, layer: int, head: int | str) -> Locator:
        words = "mean of the heads" if head == "mean" else f"head {head + 1}"
        return self.overview.get_by_role("button", name=f"Layer {layer + 1}, {words}", exact=True)

    def press(self, keys: str) -> None:
        for key in keys.split():
            self.page.keyboard.press(key)

    def upload(self, name: str, data: bytes, kind: str = "image/jpeg") -> None:
        self.page.locator(".st-key-sidebar_upload input[type=file]").set_input_files(
            {"name": name, "mimeType": kind, "buffer": data}
        )

    # ---- what must hold

    def shows_what_the_library_says(self, trace: Trace, tolerance: float = 2e-3) -> None:
        """The status line's strongest patch and its weight are those of the trace."""
        expect(self.root).not_to_have_attribute("data-top-key", "")
        data = self.all_data()
        view = _view(data)
        weights = view.weights(trace)
        top = int(data["topKey"])
        assert abs(float(data["topWeight"]) - weights[top]) < tolerance
        assert weights[top] > weights[trace.prefix :].max() - tolerance, "no other patch is stronger"
        text = data["status"].replace("\u00a0", " ")
        assert text.startswith(view.label(trace))
        row, column = divmod(top - trace.prefix, trace.grid[1])
        assert f"patch ({row + 1}, {column + 1})" in text.removeprefix(view.label(trace))
        said = float(re.search(r", ([\d.]+)\s%", text.removeprefix(view.label(trace)))[1]) / 100
        assert abs(said - weights[top]) < tolerance + 5e-4

    def panels_show(self, trace: Trace, view: View) -> None:
        """The sorted row and the matrix hold exactly the numbers of the view."""
        expect(self.panel("Weights, sorted")).to_contain_text(f"{view.label(trace)}, {view.direction_label(trace)}:")
        self.at_rest()
        drawn = np.sort(np.concatenate([part["y"] for part in self.chart("sorted")]))
        np.testing.assert_allclose(drawn, np.sort(100 * view.weights(trace)), rtol=1e-5, atol=1e-6)


def _view(data: dict[str, str]) -> View:
    return View(
        layer=int(data["layer"]),
        head=None if data["head"] == "mean" else int(data["head"]),
        query=tuple(map(int, data["query"].split(","))),
        direction=data["direction"],
        scale=data["scale"],
    )
