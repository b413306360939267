"""The app on a laptop, a phone, in the light and in the dark; by mouse, finger and link."""

import re

import pytest
from playwright.sync_api import expect

import vitviz
from scripts.app_server import running_app
from tests.browser.explorer_page import ExplorerPage
from tests.browser.layout import in_wide_fonts
from tests.support.exhaustive import exhaustive
from vitviz.ui.app import state

PHONE = {"width": 390, "height": 844}


def bottom(box: dict) -> float:
    return box["y"] + box["height"]


def cut_off(page: ExplorerPage) -> float:
    """Return the width in pixels of the overview, with its frames, that is visible only after scrolling."""
    return page.page.locator("canvas[data-ref=overview]").evaluate(
        "canvas => { const box = canvas.closest('.right'); return box.scrollWidth - box.clientWidth }"
    )


@in_wide_fonts
def test_the_explorer_fits_a_laptop_without_scrolling(explore):
    page = explore("image=cat")
    box = page.box(page.image)
    assert box["width"] >= 440
    assert bottom(page.box(page.status)) < 768
    overview = page.box(page.overview)
    assert bottom(overview) < 768
    assert overview["x"] + overview["width"] <= 1366
    assert overview["x"] > box["x"] + box["width"], "beside the picture, not below"
    assert cut_off(page) <= 0


@pytest.mark.exhaustive
@pytest.mark.parametrize("link", ["image=cat&layer=12&head=2", "model=digits&image=digit-4&layer=6&head=2"])
def test_the_frame_of_the_chosen_map_is_as_large_as_the_map(explore, link):
    page = explore(link)
    framed, beside = (page.box(page.head(page.shown.layer, head)) for head in (1, 2))
    painted = page.page.locator("canvas[data-ref=overview]").evaluate(
        """(canvas, [layers, heads]) => {
        const { data, width, height } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        const cell = width / heads, row = Math.round((layers - 0.5) * height / layers);
        const filled = [...Array(cell).keys()].map((x) => data[4 * (row * width + cell + x) + 3] > 0);
        return [filled.indexOf(true) / width, (filled.lastIndexOf(true) + 1) / width, cell / width];
    }""",
        [page.shown.layer + 1, 7 if "cat" in link else 5],
    )
    whole = page.box(page.page.locator("canvas[data-ref=overview]"))
    start, end, cell = (whole["width"] * part for part in painted)
    assert framed["x"] - whole["x"] == pytest.approx(cell + start, abs=1)
    assert framed["width"] == pytest.approx(end - start, abs=1)
    assert framed["x"] + framed["width"] < beside["x"]


@in_wide_fonts
@pytest.mark.parametrize("fit", [exhaustive("crop"), "native"])
def test_a_phone_stacks_and_nothing_sticks_out(explore, fit):
    page = explore(f"image=pagoda&fit={fit}", viewport=PHONE, is_mobile=True, has_touch=True)
    image, overview = page.box(page.image), page.box(page.overview)
    assert image["width"] > 300
    assert overview["y"] > bottom(image)
    for box in (image, overview):
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= PHONE["width"]
    assert cut_off(page) <= 0
    assert page.page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_a_finger_pins(explore):
    trace = vitviz.load("dinov2-small").trace(state.samples()["cat"])
    page = explore("image=cat", viewport=PHONE, is_mobile=True, has_touch=True)
    page.page.touchscreen.tap(*page.point_of(5, 5, trace.grid))
    expect(page.root).to_have_attribute("data-pinned", str(trace.prefix + 5 * 16 + 5))
    page.shows_what_the_library_says(trace)


@pytest.mark.parametrize(("scheme", "dark"), [exhaustive("light", False), ("dark", True)])
def test_text_is_readable_in_both_themes(explore, scheme, dark):
    page = explore("image=cat", color_scheme=scheme)

    def luminance(colour: str) -> float:
        r, g, b = (int(v) / 255 for v in re.findall(r"\d+", colour)[:3])
        return sum(
            w * (v / 12.92 if v <= 0.03928 else ((v + 0.055) / 1.055) ** 2.4)
            for w, v in ((0.2126, r), (0.7152, g), (0.0722, b))
        )

    text = luminance(page.status.evaluate("node => getComputedStyle(node).color"))
    paper = luminance(page.page.get_by_test_id("stApp").evaluate("node => getComputedStyle(node).backgroundColor"))
    assert (paper < 0.1) == dark
    light, deep = max(text, paper), min(text, paper)
    assert (light + 0.05) / (deep + 0.05) > 7


@pytest.mark.exhaustive
def test_a_sample_on_the_start_page_leads_to_the_explorer(app, new_page):
    page = ExplorerPage(new_page())
    page.page.goto(app)
    expect(page.page.locator(".st-key-start_gallery")).to_be_visible()
    page.page.get_by_test_id("stMain").get_by_role("button", name="Rocket").click()
    page.ready()
    expect(page.page).to_have_url(re.compile(r"/explore\?image=rocket"))


def test_a_photo_dropped_on_the_start_page_leads_to_the_explorer(app, new_page):
    page = ExplorerPage(new_page())
    page.page.goto(app)
    page.page.locator(".st-key-start_upload input[type=file]").set_input_files(
        {"name": "mine.jpg", "mimeType": "image/jpeg", "buffer": state.samples()["coffee"]}
    )
    page.ready()
    expect(page.page.locator("[data-ref=photo]")).to_have_attribute("alt", "mine.jpg")
    assert "image=own" in page.page.evaluate("location.href")


@pytest.mark.exhaustive
def test_a_link_may_be_the_first_thing_a_server_is_asked(new_page):
    with running_app() as url:
        page = ExplorerPage(new_page()).open(f"{url}/explore?image=flower&layer=4&head=2")
        assert (page.shown.layer, page.shown.head) == (3, 1)
        expect(page.page.get_by_test_id("stSidebar").get_by_text("Model")).to_be_visible()


@pytest.mark.exhaustive
def test_nonsense_in_a_link_is_said_in_the_page(explore):
    page = explore("image=nope&layer=99&scale=<script>alert(1)</script>")
    notices = page.page.get_by_test_id("stMain").get_by_test_id("stAlert")
    expect(notices.filter(has_text="image “nope” was ignored")).to_be_visible()
    expect(notices.filter(has_text="layer “99” was ignored: it can be 1 to 12")).to_be_visible()
    assert page.shown.layer == 11
