"""The page "Tokens" in a browser: values at the pointer are the library's and need no request."""

import re

import numpy as np
import pytest
from playwright.sync_api import Page, expect

import vitviz
from tests.browser.explanations import IMAGE, click_patch
from tests.browser.layout import (
    assert_asks_nobody,
    assert_nothing_sticks_out,
    box_at_rest,
    choose,
    in_wide_fonts,
    pixels_of,
    settled,
)
from tests.browser.test_layout import PHONE
from vitviz.analysis import tokens
from vitviz.analysis.logit_lens import depth_label
from vitviz.ui.app import state

PROBE = ".st-key-probe button"  # it becomes the one that stops
DRAWN = {  # an element of each section; pickers themselves have no box on phones
    "Colours": ".st-key-pca_picker [data-testid=patch-picker-image]",
    "Similarity": ".st-key-similarity [data-testid=patch-picker-image]",
    "Norms": ".st-key-norm_picker [data-testid=patch-picker-image]",
    "Points": ".st-key-scatter canvas",
    "Places": f"{PROBE}, .st-key-probe_chart",
}


@pytest.fixture
def page_of(app, new_page):
    def open_page(section: str, parameters: str = "", **options) -> Page:
        page = new_page(**options)
        page.goto(f"{app}/tokens?{parameters}")
        page.get_by_role("radio", name=section, exact=True).click()
        expect(page.locator(DRAWN[section]).first).to_be_visible()
        settled(page)
        return page

    return open_page


def point_at(page: Page, row: int, column: int, side: int = 16) -> None:
    settled(page)
    image = page.get_by_test_id(IMAGE)
    image.scroll_into_view_if_needed()
    box = box_at_rest(image)
    image.hover(position={"x": (column + 0.5) * box["width"] / side, "y": (row + 0.5) * box["height"] / side})


def assert_similar(page: Page, trace, layer: int, row: int, column: int) -> None:
    """Check that the component compares this patch, with the library's numbers."""
    source = trace.prefix + row * trace.grid[1] + column
    root = page.get_by_test_id("similarity")
    expect(root).to_have_attribute("data-source", str(source))
    expected = tokens.similarity(trace.tokens(layer), source)
    found = float(root.get_attribute("data-top-similarity"))
    others = np.delete(np.arange(trace.prefix, trace.token_count), source - trace.prefix)
    assert found == pytest.approx(expected[others].max(), abs=1e-3)
    assert expected[int(root.get_attribute("data-top"))] == pytest.approx(expected[others].max(), abs=1e-3)
    assert float(root.get_attribute("data-mean")) == pytest.approx(expected[trace.prefix :].mean(), abs=1e-3)
    words = page.get_by_test_id("similarity-facts").inner_text()
    for name, value in zip(trace.config.prefix_token_names, expected, strict=False):
        assert float(re.search(rf"{name} (−?[\d.]+)", words)[1].replace("−", "-")) == pytest.approx(value, abs=2e-3)


def shown_colours(page: Page) -> np.ndarray:
    """Return the overlay colours, [row, column, RGB]."""
    return pixels_of(page.locator("[data-testid=similarity] canvas[data-ref=heat]"))[..., :3].astype(int)


def test_similarity_follows_the_pointer_and_asks_nobody(page_of, cat):
    page = page_of("Similarity", "image=cat&layer=9")
    settled(page)

    def point() -> None:
        for patch in ((2, 3), (9, 9), (15, 0)):
            point_at(page, *patch)
            assert_similar(page, cat, 8, *patch)

    assert_asks_nobody(page, point)
    values = tokens.similarity(cat.tokens(8), cat.prefix + 15 * 16)[cat.prefix :].reshape(cat.grid)
    expected = vitviz.viz.colour.paint((values + 1) / 2, "relative", signed=True).astype(int)
    assert np.abs(shown_colours(page) - expected).max() <= 8, "at most one step of the colour table"


def test_a_click_pins_and_the_pin_can_be_kept_while_others_are_read(page_of, cat):
    page = page_of("Similarity", "image=cat&layer=9")
    click_patch(page, 0, 4, 5)
    page.wait_for_function("location.href.includes('query=5-6')")
    settled(page)
    page.get_by_text("Compare with the chosen patch").click()
    point_at(page, 10, 11)
    expect(page.get_by_test_id("similarity")).to_have_attribute("data-hover", "10,11")
    assert_similar(page, cat, 8, 4, 5)
    value = tokens.similarity(cat.tokens(8), cat.prefix + 69)[cat.prefix + 171]
    said = page.get_by_test_id("patch-picker-status").inner_text()
    assert float(said.rpartition(": ")[2].replace("−", "-")) == pytest.approx(value, abs=2e-3)


def test_the_keys_move_the_similarity(page_of, cat):
    page = page_of("Similarity", "image=cat&layer=9&query=5-6")
    image = page.get_by_test_id(IMAGE)
    image.focus()
    image.press("ArrowRight")
    assert_similar(page, cat, 8, 4, 6)
    image.press("Enter")
    page.wait_for_function("location.href.includes('query=5-7')")


@pytest.mark.exhaustive
def test_another_layer_brings_its_own_tokens(page_of, cat):
    page = page_of("Similarity", "image=cat&layer=9&query=5-6")
    assert_similar(page, cat, 8, 4, 5)
    choose(page.locator(".st-key-tokens_layer").get_by_role("combobox"), "3 of 12")
    expect(page.get_by_test_id("patch-picker-legend")).to_contain_text(depth_label(3))
    assert_similar(page, cat, 2, 4, 5)


def spots(page: Page) -> list[tuple[float, float]]:
    """Return the screen positions of the points of digits' 64 patches."""
    trace = vitviz.load("digits").trace(state.samples()["digit-4"])
    points = tokens.project(trace.tokens(5)[trace.prefix :])
    places = (points - points.min(axis=0)) / np.ptp(points, axis=0)
    canvas = page.get_by_test_id("scatter-points")
    settled(page)
    canvas.scroll_into_view_if_needed()
    box = box_at_rest(canvas)
    edge = 14
    wide, tall = box["width"] - 2 * edge, box["height"] - 2 * edge
    at = [box["x"] + edge, box["y"] + edge] + np.stack([places[:, 0], 1 - places[:, 1]], axis=1) * [wide, tall]
    return at.tolist()


@pytest.mark.exhaustive
def test_a_line_around_points_lights_up_their_patches(page_of):
    page = page_of("Points", "model=digits&image=digit-4")
    at = np.array(spots(page))
    left = at[:, 0] < np.median(at[:, 0])
    border = float(np.median(at[:, 0]))
    box = box_at_rest(page.get_by_test_id("scatter-points"))
    corners = [(box["x"] + 1, box["y"] + 1), (border, box["y"] + 1), (border, box["y"] + box["height"] - 1)]
    corners.append((box["x"] + 1, box["y"] + box["height"] - 1))

    def draw_a_line() -> None:
        page.mouse.move(*corners[0])
        page.mouse.down()
        for corner in corners[1:]:
            page.mouse.move(*corner, steps=4)
        page.mouse.up()

    assert_asks_nobody(page, draw_a_line)
    root = page.get_by_test_id("scatter")
    expected = " ".join(str(patch) for patch in np.flatnonzero(left))
    expect(root).to_have_attribute("data-selected", expected)
    expect(page.get_by_test_id("scatter-selection")).to_have_text(f"{left.sum()} of 64 patches selected.")
    pixels = page.locator("[data-testid=scatter] canvas[data-ref=picture]").evaluate(
        """node => { const at = (i) => node.getContext('2d').getImageData((i % 8 + 0.5) * node.width / 8,
        (Math.floor(i / 8) + 0.1) * node.height / 8, 1, 1).data[0]; return [...Array(64).keys()].map(at); }"""
    )
    paper = np.array(pixels)[[0, 7, 56, 63]]  # the corners are white paper, and darker where they are not lit up
    assert ((paper > 200) == left[[0, 7, 56, 63]]).all()
    page.get_by_test_id("scatter").get_by_role("button", name="Clear").click()
    expect(root).to_have_attribute("data-selected", "")


def test_a_point_shows_its_patch_and_a_click_chooses_it(page_of):
    page = page_of("Points", "model=digits&image=digit-4")
    at = spots(page)
    gaps = [min(np.hypot(*np.subtract(one, two)) for j, two in enumerate(at) if j != i) for i, one in enumerate(at)]
    alone = int(np.argmax(gaps))
    page.mouse.move(*at[alone])
    row, column = divmod(alone, 8)
    expect(page.get_by_test_id("scatter")).to_have_attribute("data-hover", f"{row},{column}")
    expect(page.get_by_test_id("patch-picker-status")).to_contain_text(f"row {row + 1}, column {column + 1}")
    page.mouse.down()
    page.mouse.up()
    page.wait_for_function(f"location.href.includes('query={row + 1}-{column + 1}')")


def test_points_by_keys(page_of):
    page = page_of("Points", "model=digits&image=digit-4&query=5-5")
    canvas, root = page.get_by_test_id("scatter-points"), page.get_by_test_id("scatter")
    canvas.focus()
    canvas.press("ArrowLeft")
    expect(root).not_to_have_attribute("data-focus", "")
    row, column = map(int, root.get_attribute("data-focus").split(","))
    at = spots(page)
    assert at[8 * row + column][0] < at[36][0]
    canvas.press(" ")
    expect(root).to_have_attribute("data-selected", str(8 * row + column))
    canvas.press("Escape")
    expect(root).to_have_attribute("data-selected", "")
    canvas.press("Enter")
    page.wait_for_function(f"location.href.includes('query={row + 1}-{column + 1}')")


@pytest.mark.exhaustive
@in_wide_fonts
def test_nothing_is_wider_than_a_phone(page_of):
    page = page_of("Colours", "model=digits", viewport=PHONE, is_mobile=True, has_touch=True)
    for section, drawn in DRAWN.items():
        page.get_by_role("radio", name=section, exact=True).click()
        expect(page.locator(drawn).first).to_be_visible()
        assert_nothing_sticks_out(page)


@pytest.mark.exhaustive
@in_wide_fonts
def test_a_small_laptop_shows_everything(page_of):
    page = page_of("Colours", "image=cat", viewport={"width": 1024, "height": 700})
    assert_nothing_sticks_out(page)
    gallery = page.get_by_role("group", name="Principal components after every layer")
    expect(gallery.get_by_role("button")).to_have_count(12)
    assert gallery.evaluate("node => node.scrollWidth <= node.clientWidth")


@pytest.mark.exhaustive
def test_a_thumbnail_chooses_its_layer(page_of):
    page = page_of("Colours", "model=digits")
    page.get_by_role("button", name="Layer 2", exact=True).click()
    page.wait_for_function("location.href.includes('layer=2')")
    expect(page.locator("th").filter(has_text=depth_label(2))).to_be_visible()
    expect(page.locator(".st-key-tokens_layer").get_by_role("combobox")).to_have_value(re.compile("2 of 6"))
    expect(page.get_by_role("button", name="Layer 2", exact=True)).to_be_focused()


@pytest.mark.exhaustive
def test_a_probe_can_be_stopped(page_of):
    page = page_of("Places", "image=cat&size=280")
    page.locator(PROBE).click()
    expect(page.get_by_role("progressbar")).to_be_visible()
    page.locator(PROBE).click()
    expect(page.get_by_role("progressbar")).to_have_count(0)
    expect(page.locator(PROBE)).to_be_visible(), "it can be measured again: there is no result"
    expect(page.locator(".st-key-probe_chart")).to_have_count(0)


def test_a_probe_is_measured_step_by_step(page_of):
    page = page_of("Places", "model=digits&layer=3")
    page.get_by_role("button", name="Measure").click()
    expect(page.get_by_text("Position predicted from the token")).to_be_visible()
    expect(page.get_by_role("button", name="Stop")).to_have_count(0)
