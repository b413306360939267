"""The patch picker alone in a plain page: pointing, choosing, keys, patches pulled apart, colours."""

import io

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.browser.alone import Alone
from tests.browser.layout import eventually, in_wide_fonts, pixels_of
from tests.browser.test_layout import PHONE
from tests.support.exhaustive import exhaustive
from vitviz.notation.marks import percent
from vitviz.ui.components.patches import Overlay, component
from vitviz.ui.components.patches.payload import payload
from vitviz.viz.colour import KEY, QUERY, colour_map, overlay_map, paint, tone

GRID = (4, 6)
SIDE = 20  # pixels of a patch in the picture
THEMES = {
    "light": "--st-primary-color:#6a35e0; --st-text-color:#1d1a26; --st-background-color:#fff;"
    " --st-secondary-background-color:#f5f3fa; color-scheme: light",
    "dark": "--st-primary-color:#a98bff; --st-text-color:#ece8f5; --st-background-color:#121016;"
    " --st-secondary-background-color:#1c1924; color-scheme: dark",
}
PAINTED = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"


def colours(rows: int, columns: int) -> np.ndarray:
    """A colour of its own for each patch."""
    row, column = np.indices((rows, columns))
    return np.stack([40 * row + 60, 30 * column + 60, 200 - 10 * (row + column)], -1).astype(np.uint8)


def picture(grid=GRID) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(colours(*grid).repeat(SIDE, 0).repeat(SIDE, 1)).save(buffer, "PNG")
    return buffer.getvalue()


class Picker:
    """The component in a page 440 px wide."""

    def __init__(self, page: Page, theme: str = "light", width: str = "440px", grid=GRID, **options):
        self.page, self.grid = page, grid
        body = f":root {{ {THEMES[theme]} }} body {{ margin: 1rem; background: var(--st-background-color) }}"
        head = '<meta name="viewport" content="width=device-width">'
        self.alone = Alone(page, component, f"{body} main {{ max-width: {width} }}", head)
        self.root = page.get_by_test_id("patch-picker")
        self.stage = page.get_by_test_id("patch-picker-image")
        self.status = page.get_by_test_id("patch-picker-status")
        self.alone.receive(self.data(**options))
        page.wait_for_function("document.querySelector('[data-ref=picture]').width > 300")

    def data(self, chosen=(1, 2), picture_bytes=None, **options) -> dict:
        return payload(picture_bytes or picture(self.grid), "colours", self.grid, chosen, **options)

    def receive(self, received: int = 0, **options) -> None:
        self.alone.receive(self.data(**options), received=received)
        self.page.evaluate(PAINTED)

    def centre(self, row: int, column: int) -> tuple[float, float]:
        box = self.stage.bounding_box()
        rows, columns = self.grid
        return box["x"] + (column + 0.5) * box["width"] / columns, box["y"] + (row + 0.5) * box["height"] / rows

    def point(self, row: int, column: int) -> None:
        self.page.mouse.move(*self.centre(row, column))

    def click(self, row: int, column: int) -> None:
        self.page.mouse.click(*self.centre(row, column))

    def press(self, keys: str) -> None:
        for key in keys.split():
            self.page.keyboard.press(key)

    def has(self, **data: str) -> None:
        for name, value in data.items():
            expect(self.root).to_have_attribute(f"data-{name}", value)

    @property
    def told(self) -> list:
        return self.alone.told

    def pixels(self, ref: str) -> np.ndarray:
        """Pixels of a canvas, uint8 [height, width, 4]."""
        self.page.evaluate(PAINTED)
        return pixels_of(self.page.locator(f"[data-ref={ref}]"))

    def centres(self) -> np.ndarray:
        """The painted colour in the middle of each patch, [rows, columns, 4]."""
        painted, (rows, columns) = self.pixels("picture"), self.grid
        at = [
            ((np.arange(n) + 0.5) * size / n).astype(int)
            for n, size in zip((rows, columns), painted.shape, strict=False)
        ]
        return painted[np.ix_(*at)].astype(int)


def chosen(role: str, row: int, column: int) -> list:
    return ["chosen", {"role": role, "row": row, "column": column, "grid": list(GRID)}]


def near(shown: np.ndarray, wanted: np.ndarray, by: float = 3) -> bool:
    return np.abs(shown.astype(float) - wanted).max() <= by


def test_pointing_looks_closer_and_asks_nobody(new_page):
    picker = Picker(new_page())
    picker.has(row="1", column="2", hover="")
    expect(picker.status).to_have_text("Patch 9 of 24, row 2, column 3")
    for row, column in ((0, 0), (3, 5), (2, 4)):
        picker.point(row, column)
        picker.has(hover=f"{row},{column}", row="1", column="2")
        expect(picker.status).to_have_text(f"Patch {6 * row + column + 1} of 24, row {row + 1}, column {column + 1}")
        lens = picker.pixels("lens")
        assert lens.shape == (SIDE, SIDE, 4), "one pixel of the picture is one of the lens"
        assert (lens[..., :3] == colours(*GRID)[row, column]).all()
    picker.page.mouse.move(2, 2)
    picker.has(hover="")
    expect(picker.status).to_have_text("Patch 9 of 24, row 2, column 3")
    assert picker.told == []


def test_frames_lie_exactly_on_the_patches(new_page):
    picker = Picker(new_page(), second=(3, 5), chosen=(0, 0))
    stage = picker.stage.bounding_box()
    for ref, (row, column) in (("chosen", (0, 0)), ("second", (3, 5))):
        box = picker.page.locator(f"[data-ref={ref}]").bounding_box()
        assert box["x"] == pytest.approx(stage["x"] + column * stage["width"] / 6, abs=0.6)
        assert box["y"] == pytest.approx(stage["y"] + row * stage["height"] / 4, abs=0.6)
        assert box["width"] == pytest.approx(stage["width"] / 6, abs=0.6)
    assert stage["width"] / stage["height"] == pytest.approx(6 / 4, abs=0.01)
    assert near(picker.centres()[..., :3], colours(*GRID))


def test_a_click_chooses_once(new_page):
    picker = Picker(new_page())
    picker.click(2, 4)
    picker.has(row="2", column="4")
    picker.click(2, 4)
    assert picker.told == [chosen("query", 2, 4)], "the chosen patch is not chosen again"
    picker.receive(chosen=(2, 4), received=1)
    picker.click(0, 0)
    picker.click(3, 3)
    picker.receive(chosen=(0, 0), received=2)  # the answer to the first of two quick clicks
    picker.has(row="3", column="3")
    picker.receive(chosen=(3, 3), received=3)
    picker.receive(chosen=(1, 1), received=3)  # the page chooses, as a tour does
    picker.has(row="1", column="1")
    assert picker.told == [chosen("query", 2, 4), chosen("query", 0, 0), chosen("query", 3, 3)]


def test_a_choice_that_the_page_refuses_is_taken_back(new_page):
    picker = Picker(new_page())
    picker.click(2, 4)
    picker.receive()  # a run that began before
    picker.has(row="2", column="4")
    picker.receive(received=1)
    picker.has(row="1", column="2")


def test_a_picker_that_is_made_anew_shows_what_python_says(new_page):
    picker = Picker(new_page())
    picker.page.get_by_label("Separate the patches").check()
    picker.click(2, 4)
    picker.alone.leave_and_come_back()
    picker.receive()
    picker.has(row="1", column="2", exploded="true")  # the switch is the browser's
    picker.receive(chosen=(2, 4), received=1)
    picker.has(row="2", column="4")
    picker.click(0, 0)
    assert [one["number"] for one in picker.alone.messages] == [2]


def test_the_key_is_red_and_chosen_in_its_own_mode(new_page):
    picker = Picker(new_page(), second=(0, 5), choosing="key")
    marks = picker.page.locator(".marks span")
    expect(marks).to_have_text(["query: patch 9", "key: patch 6"])
    picker.click(3, 0)
    picker.has(row="1", column="2", second="3,0", choosing="key")
    assert picker.told == [chosen("key", 3, 0)]
    expect(marks).to_have_text(["query: patch 9", "key: patch 19"])
    shadow = "node => getComputedStyle(node, '::after').boxShadow"
    for ref, colour in (("chosen", QUERY), ("second", KEY)):
        rgb = tuple(int(colour[i : i + 2], 16) for i in (1, 3, 5))
        assert str(rgb) in picker.page.locator(f"[data-ref={ref}]").evaluate(shadow)


def test_the_keyboard_moves_and_chooses(new_page):
    picker = Picker(new_page())
    picker.page.keyboard.press("Tab")
    expect(picker.stage).to_be_focused()
    picker.press("ArrowRight ArrowDown")
    picker.has(focus="2,3", row="1", column="2")
    expect(picker.status).to_have_text("Patch 16 of 24, row 3, column 4")
    assert picker.told == []
    picker.press("Enter")
    picker.has(row="2", column="3")
    picker.press("ArrowUp ArrowUp ArrowUp ArrowLeft ArrowLeft ArrowLeft ArrowLeft ArrowLeft Space")
    picker.has(row="0", column="0")
    picker.press("ArrowDown Escape")
    picker.has(focus="1,0", row="0", column="0")
    assert picker.told == [chosen("query", 2, 3), chosen("query", 0, 0)]
    picker.press("Tab")
    expect(picker.page.get_by_label("Separate the patches")).to_be_focused()
    picker.has(focus="")
    expect(picker.stage).to_have_attribute("role", "application")
    expect(picker.stage).to_have_attribute("aria-label", "colours, 4 rows of 6 patches")


def test_without_a_chosen_patch_the_keys_begin_in_the_middle(new_page):
    picker = Picker(new_page(), chosen=None)
    picker.has(row="", column="")
    expect(picker.status).to_have_text("")
    picker.stage.focus()
    picker.press("ArrowDown Enter")
    assert picker.told == [chosen("query", 2, 3)]


def test_patches_are_pulled_apart_in_the_browser_alone(new_page):
    picker = Picker(new_page())
    assert (picker.pixels("picture")[..., 3] == 255).all()
    picker.page.get_by_label("Separate the patches").check()
    picker.has(exploded="true")
    picker.page.wait_for_function("document.querySelector('.patches').style.getPropertyValue('--gap') === '0.16'")
    painted = picker.pixels("picture")
    across = painted.shape[1] / 6
    gaps = painted[:, [round(i * across) for i in range(1, 6)]]
    assert (gaps[..., 3] == 0).all(), "nothing is painted between the columns"
    assert (painted[..., 3] > 0).mean() == pytest.approx(0.84**2, abs=0.02)
    assert near(picker.centres()[..., :3], colours(*GRID))
    picker.point(3, 1)
    picker.has(hover="3,1")
    picker.receive()  # the page runs again: the visitor's switch holds
    picker.has(exploded="true")
    picker.page.get_by_label("Separate the patches").uncheck()
    picker.page.wait_for_function("document.querySelector('.patches').style.getPropertyValue('--gap') === '0'")
    assert (picker.pixels("picture")[..., 3] == 255).all()
    assert picker.told == []
    picker.receive(exploded=True)
    picker.has(exploded="true")


@pytest.mark.parametrize(
    ("scale", "signed", "apart"),
    [
        ("relative", True, False),
        ("uniform", False, True),
        exhaustive("relative", False, True),
        exhaustive("raw", False, False),
    ],
)
def test_the_map_has_the_colours_of_the_library(new_page, scale, signed, apart):
    values = np.random.default_rng(0).normal(size=GRID).astype(np.float32)
    values = values if signed else np.exp(values) / np.exp(values).sum()
    overlay = Overlay(values, "Layer 3, head 2", scale=scale, signed=signed, tokens=24, opacity=0.6)
    picker = Picker(new_page(), overlay=overlay, exploded=apart)
    wanted = paint(tone(values, scale, 24, signed=signed), scale, signed, over=True).astype(float)
    seen = wanted[..., 3:] / 255
    assert (picker.pixels("heat")[..., 3] == wanted[..., 3]).all()
    assert near(picker.pixels("heat")[..., :3], wanted[..., :3])
    bar = picker.pixels("bar")[0].astype(float)
    assert near(bar, overlay_map(scale, signed))
    assert near(picker.centres()[..., :3], 0.6 * seen * wanted[..., :3] + (1 - 0.6 * seen) * colours(*GRID))
    expect(picker.page.locator("[data-ref=bar]")).to_have_css("opacity", "0.6")
    legend = picker.page.get_by_test_id("patch-picker-legend")
    for words in (*overlay.ends(), "Layer 3, head 2"):
        expect(legend).to_contain_text(words)
    picker.point(3, 4)
    expect(picker.status).to_have_text(f"Patch 23 of 24, row 4, column 5: {percent(float(values[3, 4]))}")
    assert (picker.pixels("lens")[..., :3] == colours(*GRID)[3, 4]).all(), "the lens shows the picture, not the map"
    slider = picker.page.get_by_role("slider", name="Overlay opacity")
    slider.fill("100")
    assert near(picker.centres()[..., :3], seen * wanted[..., :3] + (1 - seen) * colours(*GRID))
    expect(picker.page.locator("[data-ref=bar]")).to_have_css("opacity", "1")
    slider.fill("0")
    assert near(picker.centres()[..., :3], colours(*GRID))


def test_a_map_comes_and_goes(new_page):
    picker = Picker(new_page())
    legend = picker.page.get_by_test_id("patch-picker-legend")
    expect(legend).to_be_hidden()
    picker.receive(overlay=Overlay(np.eye(4, 6, dtype=np.float32), "one"))
    expect(legend).to_be_visible()
    assert near(picker.centres()[0, 0, :3], 0.8 * colour_map("relative")[255] + 0.2 * colours(*GRID)[0, 0])
    picker.receive()
    expect(legend).to_be_hidden()
    assert near(picker.centres()[..., :3], colours(*GRID))


def test_another_picture_has_other_patches(new_page):
    picker = Picker(new_page())
    picker.point(3, 5)
    picker.grid = (2, 3)
    picker.receive(chosen=(0, 1))
    picker.has(row="0", column="1", hover="")
    eventually(picker.page, lambda: near(picker.centres()[..., :3], colours(2, 3)))
    picker.click(1, 2)
    assert picker.told[-1] == ["chosen", {"role": "query", "row": 1, "column": 2, "grid": [2, 3]}]


def test_nothing_listens_after_the_component_is_gone(new_page):
    picker = Picker(new_page())
    picker.page.evaluate("window.cleanup()")
    picker.click(3, 3)
    assert picker.told == []


@in_wide_fonts
def test_on_a_laptop_it_is_not_wider_than_it_need_be(new_page):
    picker = Picker(new_page(), width="1200px")
    assert picker.stage.bounding_box()["width"] == 440
    lens = picker.page.get_by_test_id("patch-picker-lens").bounding_box()
    assert lens["x"] > 440, "beside the picture"


@in_wide_fonts
def test_a_phone_shows_it_in_full_width_and_a_finger_chooses(new_page):
    page = new_page(viewport=PHONE, is_mobile=True, has_touch=True)
    picker = Picker(page, width="none")
    box = picker.stage.bounding_box()
    assert box["width"] > 340
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    page.touchscreen.tap(*picker.centre(2, 1))
    picker.has(row="2", column="1")
    assert picker.told == [chosen("query", 2, 1)]
    expect(picker.status).to_have_text("Patch 14 of 24, row 3, column 2")


@pytest.mark.parametrize("theme", THEMES)
def test_words_follow_the_theme(new_page, theme):
    picker = Picker(new_page(), theme)
    text = {"light": "rgb(29, 26, 38)", "dark": "rgb(236, 232, 245)"}[theme]
    expect(picker.status).to_have_css("color", text)
