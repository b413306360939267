"""The explorer with kinds of attention that no shipped model has: the component alone in a plain page."""

import re
from dataclasses import asdict, replace
from itertools import cycle, product

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.browser.alone import Alone
from tests.browser.explorer_page import ExplorerPage
from tests.browser.layout import pixels_of
from tests.support.exhaustive import exhaustive
from tests.support.random_models import POOLED, trace_of
from vitviz.notation.view import View, pooling_note, token_layout
from vitviz.ui.components.explorer import component
from vitviz.ui.components.explorer.messages import read_style, read_view
from vitviz.viz.colour import Style, colour_map, overlay_map, tone
from vitviz.viz.explorer.payload import as_jpeg, payload, vectors

THEMES = {
    "light": "--st-primary-color:#8e5cf0; --st-text-color:#1d1a26; --st-background-color:#fff;"
    " --st-secondary-background-color:#f3f1f8",
    "dark": "--st-primary-color:#a583f5; --st-text-color:#eceaf3; --st-background-color:#14121b;"
    " --st-secondary-background-color:#221f2d",
}


def encoded(trace, view: View, layers: tuple[int, ...] | None = None) -> dict[str, bytes]:
    rows, columns = trace.grid
    across, down = np.meshgrid(np.linspace(0, 1, 40 * columns), np.linspace(0, 1, 40 * rows))
    picture = Image.fromarray((np.stack([across, down, 1 - across], -1) * 200).astype(np.uint8))
    sent = vectors(trace, tuple(range(trace.layers)) if layers is None else layers)
    return payload(trace, sent, view, picture=as_jpeg(picture), image_name="colours")


KINDS = ("differential", "relative", "mean", "distilled", "pooled", "pooled with prefix")
GRIDS = ((4, 6), (5, 3))
DIRECTIONS = ("from", "to")
EVERY_DAY = set(zip(KINDS[::2], cycle(GRIDS), cycle(DIRECTIONS), strict=False))


class Shown(ExplorerPage):
    """The component, showing one trace."""

    def __init__(self, page: Page, trace, view: View, theme: str = "light", layers: tuple[int, ...] | None = None):
        super().__init__(page)
        self.received = 0  # so many tellings were looked at
        body = f":root {{ {THEMES[theme]} }} body {{ margin: 2rem; background: var(--st-background-color) }}"
        self.alone = Alone(page, component, body)
        self.receive(trace, view, layers)
        expect(self.status).not_to_be_empty()

    @property
    def shown(self) -> View:
        """The view that is drawn once all that was done before is."""
        self.page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        head = self.data("head")
        return View(
            layer=self.trace.layers if self.data("layer") == "pool" else int(self.data("layer")),
            head=None if head == "mean" else int(head),
            query=int(self.data("query")),
            direction=self.data("direction"),
            scale=self.data("scale"),
        )

    def receive(
        self, trace, view: View, layers: tuple[int, ...] | None = None, style: Style | None = None, **options
    ) -> None:
        self.trace = trace
        said = {"view": asdict(view), "style": asdict(style or Style()), "places": token_layout(trace)}
        self.alone.receive(said, parts=encoded(trace, view, layers), **options)

    def has_told(self, view: View) -> None:
        """Wait until Python heard of something since the last time, and of this last."""
        self.page.wait_for_function(
            """([view, heard]) => told.length > heard
            && Object.entries(view).every(([part, value]) => told.at(-1)[1].view[part] === value)""",
            arg=[asdict(view), self.received],
        )
        told = self.alone.told
        self.received = len(told)
        assert read_view(told[-1][1]) == (view, token_layout(self.trace))

    def tells_the_truth(self, tolerance: float = 5e-3) -> None:
        """Marks, status line, colour bar and the picture's colours are those of `Trace.attention`."""
        trace, view = self.trace, self.shown  # waits for the drawing, so that what follows is read from the same one
        weights, top = view.weights(trace), int(self.data("top-key"))
        patches, size = weights[trace.prefix :], np.abs(weights)
        assert abs(float(self.data("top-weight")) - weights[top]) < tolerance
        assert size[top] > size[trace.prefix :].max() - tolerance, "no other patch is stronger"
        text = self.status.inner_text()
        assert text.startswith(f"{view.label(trace)}: ")
        row, column = divmod(top - trace.prefix, trace.grid[1])
        assert f"patch ({row + 1}, {column + 1})" in text.removeprefix(view.label(trace))
        said = number(re.search(r", (−?[\d.]+) %", text.removeprefix(view.label(trace)))[1])
        assert abs(said - weights[top]) < tolerance + 5e-4
        self.bar_is_right(weights[top], tolerance)
        tones = tone(patches, view.scale, view.num_keys(trace), signed=trace.config.differential)
        wanted = colour_map(view.scale, trace.config.differential)[np.round(255 * tones).astype(int)].astype(int)
        off = np.abs(self.pixels("canvas.heat", 0, 0).reshape(-1, 4)[:, :3] - wanted)
        assert off.mean() < 4
        opacities = overlay_map(view.scale, trace.config.differential)[np.round(255 * tones).astype(int), 3].astype(int)
        assert np.abs(self.pixels("canvas.heat", 0, 0).reshape(-1, 4)[:, 3] - opacities).mean() < 4

    def bar_is_right(self, strongest: float, tolerance: float) -> None:
        low, high = (self.page.locator(f"[data-ref={end}]").inner_text() for end in ("low", "high"))
        signed, scale = self.trace.config.differential, self.data("scale")
        if scale == "relative":
            assert abs(number(high.removesuffix(" %")) - abs(strongest)) < tolerance
        assert low == (f"−{high}" if signed else "0" if scale != "uniform" else "≤ 1/32 ×")

    def pixels(self, canvas: str, x: int, y: int) -> np.ndarray:
        """A map as it is painted, uint8 [rows, columns, 4]."""
        rows, columns = self.trace.grid
        return pixels_of(self.page.locator(canvas), (x, y, columns, rows)).astype(int)

    def cell(self, level: int, column: int) -> np.ndarray:
        rows, columns = self.trace.grid
        return self.pixels("canvas[data-ref=overview]", column * (columns + 1), level * (rows + 1))


def number(text: str) -> float:
    return float(text.replace("−", "-")) / 100


def last(trace, **changes) -> View:
    return View(**({"layer": trace.layers - 1, "head": 1} | changes))


@pytest.mark.parametrize(
    ("kind", "grid", "direction"),
    [one if one in EVERY_DAY else exhaustive(*one) for one in product(KINDS, GRIDS, DIRECTIONS)],
)
def test_layers_show_what_the_library_says(new_page, kind, grid, direction):
    trace = trace_of(kind, grid)
    page = Shown(new_page(), trace, last(trace, direction=direction))
    for layer, head in ((2, 1), (0, 0), (1, "mean")):
        page.head(layer, head).click()
        for token in (trace.prefix, trace.prefix + 7, trace.token_count - 1):
            page.hover(trace, token)
            page.tells_the_truth()
    if trace.prefix:
        page.page.get_by_role("button", name=f"Pin the {trace.config.prefix_token_names[-1]}").click()
        page.tells_the_truth()
        assert page.shown.query == trace.prefix - 1


@pytest.mark.parametrize("kind", [POOLED[0], *(exhaustive(kind) for kind in POOLED[1:])])
def test_the_pooling_is_one_more_row(new_page, kind):
    trace = trace_of(kind)
    page = Shown(new_page(), trace, View(3, 1))
    assert page.data("layer") == "pool"
    expect(page.overview.get_by_text("pool", exact=True)).to_be_visible()
    for head, direction, scale in product(
        [*range(trace.config.pool_num_heads), "mean"], ["from", "to"], ["relative", "uniform"]
    ):
        page.root.locator(f"[data-direction={direction}]").click()
        page.page.locator("[data-ref=scale]").select_option(scale)
        page.overview.get_by_role(
            "button", name=f"Pooling, {'mean of the heads' if head == 'mean' else f'head {head + 1}'}", exact=True
        ).click()
        page.hover(trace, trace.prefix + 9)
        page.tells_the_truth()
        expect(page.legend).to_contain_text("learned query")
    page.has_told(View(3, None, None, "to", "uniform"))


def test_the_poolings_map_does_not_follow_the_pointer_and_all_others_do(new_page):
    trace = trace_of("pooled")
    page = Shown(new_page(), trace, View(3, 3))
    before, layer = page.cell(3, 3), page.cell(1, 0)
    shown = page.pixels("canvas.heat", 0, 0)
    page.hover(trace, 3)
    assert np.array_equal(page.cell(3, 3), before)
    assert np.array_equal(page.pixels("canvas.heat", 0, 0), shown)
    assert not np.array_equal(page.cell(1, 0), layer)


@pytest.mark.parametrize("kind", ["pooled", "pooled with prefix"])
def test_every_small_map_is_its_own_head(new_page, kind):
    trace = trace_of(kind)
    page = Shown(new_page(), trace, last(trace))
    page.hover(trace, trace.prefix + 4)
    mean = max(trace.heads, trace.config.pool_num_heads)
    for level, column in product(range(4), range(mean + 1)):
        heads = View(level).num_heads(trace)
        if heads <= column < mean:
            assert not page.cell(level, column).any(), "nothing stands where there is no head"
            continue
        weights = View(level, None if column == mean else column, trace.prefix + 4).weights(trace)[trace.prefix :]
        wanted = colour_map("relative")[np.round(255 * tone(weights, "relative", 1)).astype(int)].reshape(
            *trace.grid, 3
        )
        assert np.abs(page.cell(level, column)[..., :3] - wanted.astype(int)).mean() < 3, (level, column)


def test_the_keyboard_reaches_the_pooling_and_its_heads(new_page):
    trace = trace_of("pooled")  # 3 layers of 3 heads, a pooling of 4
    page = Shown(new_page(), trace, View(2, 2))
    page.image.focus()
    seen = []
    for key in ("]", ".", ".", ".", "]", "[", ",", "["):
        page.press(key)
        seen.append((page.shown.layer, page.shown.head))
    assert seen == [(3, 2), (3, 3), (3, None), (3, 0), (0, 0), (3, 0), (3, None), (2, None)]
    assert page.data("layer") == "2"
    page.head(2, 2).click()
    page.press("ArrowRight")
    expect(page.head(2, "mean")).to_be_focused()
    page.press("ArrowDown ArrowLeft")
    button = page.overview.get_by_role("button", name="Pooling, head 4", exact=True)
    expect(button).to_be_focused()
    expect(button).to_have_attribute("aria-pressed", "true")
    page.press("ArrowUp")
    expect(page.head(2, "mean")).to_be_focused()  # layers have no fourth head
    page.has_told(View(2, None))


def test_signed_weights_are_said_with_their_sign(new_page):
    trace = trace_of("differential")
    page = Shown(new_page(), trace, View(1, 0))
    options = page.page.locator("[data-ref=scale] option:not([hidden])")
    assert options.evaluate_all("(options) => options.map((option) => option.value)") == ["relative", "raw"]
    signs = set()
    for head, token in product(range(3), range(1, 25, 4)):
        page.head(1, head).click()
        page.hover(trace, token)
        page.tells_the_truth()
        signs.add(float(page.data("top-weight")) > 0)
        row_sum = trace.row_sum(1)
        expect(page.legend).to_contain_text(f"rows sum to 1 − λ = {row_sum:.2f}")
        to_class = number(re.match(r"(.*) % to CLS", page.legend.inner_text())[1])
        assert abs(to_class - trace.attention(1, head, token)[0]) < 5e-3
    assert signs == {True, False}
    expect(page.legend).not_to_contain_text("entropy")
    page.page.locator("[data-ref=scale]").select_option("raw")
    page.tells_the_truth()
    expect(page.page.locator("[data-ref=high]")).to_have_text("100 %")


@pytest.mark.parametrize("kind", ["differential", "relative", "distilled", "pooled"])
@pytest.mark.parametrize("direction", [exhaustive("from"), "to"])
def test_one_layer_at_a_time(new_page, kind, direction):
    trace = trace_of(kind)
    pinned = trace.prefix + 8
    page = Shown(new_page(), trace, View(1, 0, pinned, direction), layers=(1,))
    page.hover(trace, trace.prefix + 3)
    page.tells_the_truth()
    for level in (0, 2):
        weights = View(level, 0, pinned, direction).weights(trace)[trace.prefix :]
        signed = trace.config.differential
        wanted = colour_map("relative", signed)[np.round(255 * tone(weights, "relative", 1, signed=signed)).astype(int)]
        assert np.abs(page.cell(level, 0)[..., :3].reshape(-1, 3) - wanted.astype(int)).mean() < 3
    if kind == "pooled":
        page.overview.get_by_role("button", name="Pooling, head 4", exact=True).click()
        page.has_told(View(3, 3, pinned, direction))
        page.receive(trace, View(3, 3, pinned, direction), layers=(3,), received=page.alone.messages[-1]["number"])
        page.tells_the_truth()
        page.page.mouse.move(2, 2)
        page.head(2, 1).click()
        page.page.mouse.move(2, 2)
        expect(page.root).to_have_attribute("data-query", str(pinned))
        page.tells_the_truth()


def test_what_python_says_is_shown(new_page):
    """Also by an explorer that has shown something else before, on other data or on the same."""
    page = Shown(new_page(), trace_of("pooled"), View(3, 3, 5, "from", "uniform"))
    for kind, view in (("pooled", View(1, 2, 7, "to")), ("relative", View(0, 1)), ("relative", View(2, None, 9))):
        page.receive(trace_of(kind), view)
        assert page.shown == (view if view.query is not None else replace(view, query=0))
        page.tells_the_truth()


def test_what_the_visitor_has_just_chosen_stays_until_it_is_heard(new_page):
    page = Shown(new_page(), trace_of("relative"), View(2, 0))
    page.head(1, 1).click()
    page.has_told(View(1, 1))
    page.receive(page.trace, View(2, 0))  # a run that began before
    assert (page.shown.layer, page.shown.head) == (1, 1)
    page.receive(page.trace, View(0, 2), received=page.alone.messages[-1]["number"])  # it may say something else
    assert (page.shown.layer, page.shown.head) == (0, 2)
    page.head(1, 1).click()
    page.has_told(View(1, 1))
    page.receive(page.trace, View(0, 2), session="another")  # which hears of nothing that was told to the first
    assert (page.shown.layer, page.shown.head) == (0, 2)


def test_an_explorer_that_is_made_anew_shows_what_python_says_now(new_page):
    page = Shown(new_page(), trace_of("relative"), View(2, 0))
    page.head(1, 1).click()
    page.has_told(View(1, 1))
    first = page.alone.messages[-1]["number"]
    page.alone.leave_and_come_back()
    page.receive(page.trace, View(2, 0))
    assert (page.shown.layer, page.shown.head) == (2, 0)
    page.receive(page.trace, View(1, 1), received=first)
    assert (page.shown.layer, page.shown.head) == (1, 1)
    page.head(0, 2).click()
    page.has_told(View(0, 2))
    assert [one["number"] for one in page.alone.messages] == [first + 1], "no number is used twice"


def test_a_call_that_was_overtaken_ends_nothing(new_page):
    """Streamlit ends a call that another has overtaken only after that one."""
    page = Shown(new_page(), trace_of("relative"), View(2, 0))
    page.page.evaluate("window.first = cleanup")
    page.receive(page.trace, View(1, 1))
    page.page.evaluate("first()")
    page.head(0, 2).click()
    page.has_told(View(0, 2))


def test_the_last_key_is_told_though_the_explorer_goes(new_page):
    page = Shown(new_page(), trace_of("relative"), View(2, 0))
    page.image.focus()
    page.press("[")
    page.alone.leave_and_come_back()
    assert read_view(page.alone.told[-1][1])[0] == View(1, 0)


def test_how_it_is_painted_is_told_and_outlives_the_explorer(new_page):
    page = Shown(new_page(), trace_of("relative"), View(2, 0))
    page.page.get_by_label("Overlay opacity").fill("20")
    page.page.get_by_label("Smooth").check()
    page.page.wait_for_function("told.at(-1)?.[0] === 'style' && told.at(-1)[1].smooth")
    style = read_style(page.alone.told[-1][1])
    assert style == Style(20, smooth=True)
    page.receive(page.trace, View(2, 0))  # an older answer
    expect(page.page.get_by_label("Overlay opacity")).to_have_value("20")
    page.alone.leave_and_come_back()
    page.receive(page.trace, View(2, 0), style=style)
    expect(page.page.locator("canvas.heat")).to_have_css("opacity", "0.2")
    expect(page.page.get_by_label("Overlay opacity")).to_have_value("20")
    expect(page.page.get_by_label("Smooth")).to_be_checked()


def pending(page: Shown, view: View) -> None:
    """Have the visitor choose this, which Python does not hear of."""
    page.page.evaluate("window.before = told.length")
    if page.data("scale") != view.scale:
        page.page.locator("[data-ref=scale]").select_option(view.scale)
    page.image.focus()
    page.press("] [")
    page.page.wait_for_function("told.length > before")


def test_another_model_takes_over_what_it_can(new_page):
    page = Shown(new_page(), trace_of("pooled"), View(3, 3, 5))
    pending(page, View(3, 3, 5, "from", "uniform"))
    page.receive(trace_of("differential"), View(0))
    assert page.shown == View(2, None, 0, "from", "relative")  # no pooling, no such scale; the patch had another number
    assert page.shown == View(3, 3, 0, "from", "uniform").fitted(page.trace)
    page.tells_the_truth()
    expect(page.overview.get_by_text("pool", exact=True)).to_have_count(0)
    page.receive(trace_of("relative"), View(0))
    assert page.shown == View(2, None, 0)
    page.tells_the_truth()


def test_a_patch_does_not_become_a_token_before_the_patches(new_page):
    page = Shown(new_page(), trace_of("pooled"), View(1, 0, 0))
    pending(page, View(1, 0, 0))
    page.receive(trace_of("mean with registers"), View(0))
    assert page.data("pinned") == ""
    assert page.shown == View(1, 0, 2 + 2 * 6 + 3)
    page.page.get_by_role("button", name="Pin the register 2").click()
    page.receive(trace_of("distilled"), View(0))
    assert page.shown == View(1, 0, 1)
    page.tells_the_truth()


@pytest.mark.parametrize(
    ("kind", "marks"), [("mean", []), ("mean with registers", ["R1", "R2"]), ("distilled", ["CLS", "DIST"])]
)
def test_tokens_before_the_patches_and_what_is_read(new_page, kind, marks):
    trace = trace_of(kind)
    page = Shown(new_page(), trace, last(trace))
    assert page.page.locator(".prefix button").all_inner_texts() == marks
    expect(page.overview).to_contain_text(pooling_note(trace.config))
    assert page.shown.query == (0 if kind == "distilled" else trace.prefix + 2 * 6 + 3)
    page.tells_the_truth()
