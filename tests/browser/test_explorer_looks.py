"""Drawing of the explorer: lines, marks, how strong the overlay is, and where things stand in windows of all shapes."""

import io
import json
import re

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.browser.explorer_page import ExplorerPage
from tests.browser.layout import assert_nothing_sticks_out, downloaded, eventually, pixels_of, settled
from tests.support.exhaustive import exhaustive
from vitviz.analysis.default_view import default_view
from vitviz.ui.app import state
from vitviz.viz.colour import KEY

PHONE = {"width": 390, "height": 844}
ZOOMED = {"width": 910, "height": 512}  # a laptop at 150 %


def screen(page: Page) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(page.screenshot())).convert("L")).astype(int)


@pytest.mark.exhaustive
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_each_small_map_ends_at_a_line(explore, scheme):
    page = explore("image=cat&layer=5&head=2", color_scheme=scheme)
    page.page.mouse.move(5, 5)
    seen = screen(page.page)
    paper = seen[760, 1300]
    for layer, head in ((0, 0), (6, 4), (11, "mean")):
        box = page.box(page.head(layer, head))
        left, middle = round(box["x"]), round(box["y"] + box["height"] / 2)
        assert np.abs(seen[middle, left - 2 : left + 1] - paper).max() > 60, "a bright or dark edge is seen on the page"


def marked_pixels(page: ExplorerPage) -> int:
    """Number of pixels of the marks that have the colour of the strongest patch."""
    drawn = pixels_of(page.page.locator("[data-ref=marked]"))[..., :3].astype(int)
    wanted = [int(KEY[i : i + 2], 16) for i in (1, 3, 5)]
    return int((np.abs(drawn - wanted).max(axis=-1) < 12).sum())


@pytest.mark.exhaustive
def test_strongest_patches_are_marked_on_request(explore):
    page = explore("image=cat&layer=10&head=3&query=6-6")
    canvas, switch = page.page.locator("[data-ref=marked]"), page.page.get_by_label("Mark the patch")
    expect(switch).not_to_be_checked()
    expect(canvas).to_be_hidden()
    switch.check()
    expect(canvas).to_be_visible()
    eventually(page.page, lambda: marked_pixels(page) > 12 * 7 * 4)
    eventually(page.page, lambda: "marks=on" in page.page.url)
    page.page.reload()
    page.ready()
    expect(canvas).to_be_visible()
    switch.uncheck()
    expect(canvas).to_be_hidden()
    eventually(page.page, lambda: "marks" not in page.page.url)


@pytest.mark.exhaustive
def test_link_and_picture_follow_opacity_and_smoothing(explore):
    page = explore("image=cat&layer=10&head=3&query=6-6")
    page.page.get_by_label("Overlay opacity").fill("30")
    page.page.get_by_label("Smooth").check()
    eventually(page.page, lambda: "overlay=30&smooth=on" in page.page.url)
    page.page.reload()
    page.ready()
    expect(page.page.locator("canvas.heat")).to_have_css("opacity", "0.3")
    expect(page.page.locator("canvas.heat")).to_have_css("image-rendering", "auto")
    picture = downloaded(page.page, "Image (PNG)")
    about = json.loads(Image.open(picture.path()).text["vitviz"])
    assert (about["opacity"], about["smooth"]) == (0.3, True)


def test_explore_opens_on_a_clear_view(explore, cat):
    page = explore("")
    assert page.shown == default_view(cat)
    page.shows_what_the_library_says(cat)
    assert re.search(rf"layer={page.shown.layer + 1}&head={page.shown.head + 1}&.*query=", page.page.url)


@pytest.mark.exhaustive
def test_a_hint_stays_until_a_patch_is_pinned(explore, cat):
    page = explore("image=cat&layer=10&head=3")
    hint = page.page.get_by_test_id("explorer-hint")
    expect(hint).to_be_visible()
    page.hover(cat, 40)
    expect(hint).to_have_css("opacity", "0")
    page.page.mouse.move(5, 5)
    expect(hint).to_have_css("opacity", "1")
    page.click(cat, 40)
    expect(hint).to_be_hidden()
    page.page.reload()
    page.ready()
    expect(hint).to_be_hidden()


def wide_photo() -> bytes:
    buffer = io.BytesIO()
    Image.open(io.BytesIO(state.samples()["pagoda"])).resize((1500, 400)).save(buffer, "JPEG")
    return buffer.getvalue()


@pytest.mark.exhaustive
def test_a_panorama_has_its_maps_below(explore):
    page = explore("image=cat&fit=native")
    beside = page.box(page.overview)["y"] < page.box(page.image)["y"] + 10
    assert beside
    page.upload("wide.jpg", wide_photo())
    expect(page.page.locator("[data-ref=photo]")).to_have_attribute("alt", "wide.jpg")
    page.ready()
    image, overview = page.box(page.image), page.box(page.overview)
    assert image["width"] > 900
    assert overview["y"] > image["y"] + image["height"]
    assert_nothing_sticks_out(page.page)


@pytest.mark.exhaustive
def test_a_laptop_at_150_percent_cuts_nothing(explore):
    page = explore("image=cat&layer=12&head=2", viewport=ZOOMED)
    assert_nothing_sticks_out(page.page)
    image, overview, status = (page.box(part) for part in (page.image, page.overview, page.status))
    assert overview["x"] >= image["x"] + image["width"], "beside the picture"
    assert overview["x"] + overview["width"] <= ZOOMED["width"]
    assert status["y"] + status["height"] - image["y"] < ZOOMED["height"] - 60, "all of it is seen at once"
    last = page.box(page.head(11, "mean"))
    assert last["x"] + last["width"] <= overview["x"] + overview["width"]


@pytest.mark.parametrize(
    "path",
    [
        "explain",
        exhaustive("attention"),
        exhaustive("intervene"),
        exhaustive(""),
        exhaustive("sequence"),
        exhaustive("tokens"),
        exhaustive("lens"),
    ],
)
def test_no_page_is_wider_than_a_laptop_at_150_percent(app, new_page, path):
    page = new_page(viewport=ZOOMED)
    page.goto(f"{app}/{path}?model=digits")
    expect(page.get_by_test_id("stMain").get_by_role("heading").first).to_be_visible()
    assert_nothing_sticks_out(page)
    assert broken(page) == []


def test_on_a_phone_the_picture_stays_in_sight(explore):
    page = explore("image=cat&layer=2&head=2", viewport=PHONE, is_mobile=True, has_touch=True)
    for layer, head in ((9, 3), (11, 5), (0, 0)):
        page.head(layer, head).scroll_into_view_if_needed()
        page.head(layer, head).tap()
        expect(page.root).to_have_attribute("data-layer", f"{layer}")
        image = page.box(page.image)
        assert image["y"] >= 0
        assert image["y"] + image["height"] <= PHONE["height"]


def broken(page: Page) -> list[str]:
    """Texts in which a number may part from its unit, in the page and in its components."""
    settled(page)
    return page.evaluate(
        r"""() => {
          const texts = (root) => [...root.querySelectorAll("*")].flatMap((node) => [
            ...(node.closest("script, style, textarea, pre, code, svg, .katex") ? [] : [...node.childNodes]
              .filter((child) => child.nodeType === Node.TEXT_NODE).map((child) => child.data)),
            ...(node.shadowRoot ? texts(node.shadowRoot) : []),
          ]);
          return texts(document).filter((text) => /\d (%|px|bit|[kMG]B|ms|s|×)(?!\p{L})|\(\d+, \d+\)/u.test(text));
        }"""
    )


@pytest.mark.exhaustive
def test_numbers_and_their_units_stay_together(explore, cat):
    page = explore("image=cat&layer=10&head=3&query=6-6", viewport=PHONE, is_mobile=True, has_touch=True)
    assert "%" in page.status.inner_text()
    assert broken(page.page) == []
    page.page.touchscreen.tap(*page.point_of(9, 9, cat.grid))
    expect(page.root).to_have_attribute("data-pinned", str(cat.prefix + 9 * 16 + 9))
    assert broken(page.page) == []
