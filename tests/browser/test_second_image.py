"""The second image in a browser: dropped, pasted or chosen as a file, on Explore and on Compare."""

import numpy as np
import pytest
from playwright.sync_api import Locator, Page, expect

import vitviz
from tests.browser.layout import assert_asks_nobody, assert_nothing_sticks_out, eventually, settled
from tests.browser.test_layout import PHONE
from tests.browser.test_own_image import GIVE, assert_looked_at, image, picture, tiles
from tests.support.exhaustive import exhaustive
from vitviz.ui.app import state

DIGIT = "model=digits&image=digit-4"
COPY = """async (text) => {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  await navigator.clipboard.write([new ClipboardItem({ "image/png": new Blob([bytes], { type: "image/png" }) })]);
}"""
CLIPBOARD = {"permissions": ["clipboard-read", "clipboard-write"]}
PLACE = """(image) => {
  const { x, y, width, height } = image.getBoundingClientRect();
  return [x, y + document.querySelector("[data-testid=stMain]").scrollTop, width, height];
}"""


def bar(page: Page) -> Locator:
    return page.get_by_test_id("image-input")


def give(page: Page, event: str, *files: list, to: Locator) -> bool:
    """Drop or paste files; returns whether the page took them."""
    return to.evaluate(GIVE, [event, files, ""])


def shows(page: Page, name: str) -> None:
    """Wait until the second picture is that of this image."""
    expect(page.locator("[data-testid=match] [data-ref=titleB]")).to_have_text(f"B: {name}")
    settled(page)


@pytest.fixture
def compare(app, new_page):
    def open_page(parameters: str = DIGIT, **options) -> Page:
        page = new_page(**options)
        page.goto(f"{app}/compare?{parameters}")
        expect(bar(page)).to_be_visible()
        settled(page)
        return page

    return open_page


def test_on_explore_an_image_is_dropped_and_the_explorer_stays_where_it_is(explore):
    explorer = explore(DIGIT)
    page = explorer.page
    explorer.root.evaluate("root => { root.dataset.first = 'yes'; }")
    before = explorer.image.evaluate(PLACE)
    expect(page.get_by_test_id("match")).to_have_count(0)
    bar(page).scroll_into_view_if_needed()
    assert give(page, "dragover", image("mine.png"), to=bar(page))
    expect(page.get_by_test_id("own")).to_be_hidden()
    assert give(page, "drop", image("mine.png"), to=bar(page))
    shows(page, "mine.png")
    page.wait_for_url("**with=own2*", wait_until="commit")
    assert_looked_at(page, "digit-4")
    expect(tiles(page)).to_have_count(0)
    assert explorer.image.evaluate(PLACE) == before
    expect(explorer.root).to_have_attribute("data-first", "yes")
    page.locator(".st-key-explore_compare button").click()
    page.wait_for_url("**/compare*", wait_until="commit")
    shows(page, "mine.png")
    expect(page.locator("[data-testid=match] [data-ref=titleA]")).to_have_text("A: digit-4")


def test_an_image_is_pasted_where_the_focus_is(compare):
    page = compare(**CLIPBOARD)
    page.evaluate(COPY, image("image.png")[3])
    bar(page).get_by_text("Drop or paste").click()
    page.keyboard.press("Control+V")
    shows(page, "pasted.png")
    assert_second_only(page)
    page.get_by_test_id("stMain").get_by_role("heading", name="Compare").click()
    assert give(page, "paste", image("first.png", "blue"), to=page.get_by_test_id("stMain"))
    expect(page.locator("[data-testid=match] [data-ref=titleA]")).to_have_text("A: first.png")
    shows(page, "pasted.png")


def test_a_button_pastes_without_a_keyboard(compare):
    page = compare(**CLIPBOARD)
    page.evaluate(COPY, image("image.png")[3])
    bar(page).get_by_role("button", name="Paste").click()
    shows(page, "pasted.png")
    assert_second_only(page)


@pytest.mark.exhaustive
def test_a_clipboard_without_an_image_is_said(compare):
    page = compare(**CLIPBOARD)
    page.evaluate("navigator.clipboard.writeText('words')")
    said = bar(page).locator("[data-ref=said]")
    expect(said).to_be_empty()
    bar(page).get_by_role("button", name="Paste").click()
    expect(said).not_to_be_empty()
    assert "own2" not in page.url


def assert_second_only(page: Page) -> None:
    """Check that the first image is the sample still."""
    expect(page.locator("[data-testid=match] [data-ref=titleA]")).to_have_text("A: digit-4")
    expect(tiles(page)).to_have_count(0)


def test_a_file_is_chosen_and_replaced_and_removed(compare):
    page = compare()
    for name, colour in (("one.png", "red"), ("two.png", "green")):
        files = {"name": name, "mimeType": "image/png", "buffer": picture(colour)}
        bar(page).locator("input[type=file]").set_input_files(files)
        shows(page, name)
        expect(bar(page).locator("[data-ref=said]")).to_be_empty()
    own = page.locator(".st-key-compare_gallery [data-name=own2]")
    expect(own).to_have_attribute("aria-pressed", "true")
    page.locator(".st-key-compare_gallery [data-removes=own2]").click()
    expect(own).to_have_count(0)
    shows(page, "digit-0")


@pytest.mark.parametrize(
    "file",
    [
        ["notes.txt", "text/plain", 0, "bm8gcGljdHVyZQ=="],
        exhaustive(["huge.png", "image/png", 21_000_001, ""]),
    ],
)
def test_what_cannot_be_taken_is_said_and_changes_nothing(file, compare):
    page = compare(f"{DIGIT}&with=digit-8")
    assert give(page, "drop", file, to=bar(page))
    notice = page.locator(".st-key-notices").get_by_test_id("stAlert")
    expect(notice.filter(has_text=file[0])).to_be_visible()
    shows(page, "digit-8")
    assert give(page, "drop", image("good.png"), to=bar(page))
    shows(page, "good.png")


def test_the_second_picture_follows_the_pointer_in_the_explorer(explore):
    model = vitviz.load("digits")
    four, eight = (model.trace(state.samples()[f"digit-{number}"]) for number in (4, 8))
    explorer = explore(f"{DIGIT}&with=digit-8&layer=3&head=2")
    page = explorer.page
    match = page.get_by_test_id("match")
    expect(match).to_have_attribute("data-show", "attention")
    found = vitviz.match(four, eight, 2)

    def point() -> None:
        for patch in (19, 44):
            explorer.hover(four, four.prefix + patch)
            expect(match).to_have_attribute("data-patch", str(patch))
            assert int(match.get_attribute("data-partner")) == found.best[patch]
            weights = eight.heatmap(2, 1, eight.prefix + int(found.best[patch])).ravel()
            top = int(match.get_attribute("data-top-b"))
            assert weights[top] == pytest.approx(weights.max(), abs=1e-3)

    assert_asks_nobody(page, point)


def test_choosing_another_head_shows_that_head_in_both(explore):
    explorer = explore(f"{DIGIT}&with=digit-8&layer=3&head=2")
    explorer.head(4, 0).click()
    legend = explorer.page.locator("[data-testid=match] [data-ref=caption]")
    expect(legend).to_contain_text("layer 5, head 1")


def click_cell(page: Page, chart: str, shape: tuple[int, int], cell: tuple[int, int]) -> None:
    area = page.locator(f".st-key-{chart} .nsewdrag").first
    area.scroll_into_view_if_needed()
    settled(page)
    box = area.bounding_box()
    x, y = ((cell[axis] + 0.5) / shape[axis] * box[side] for axis, side in ((1, "width"), (0, "height")))
    area.click(position={"x": x, "y": y})


def test_a_cell_of_the_board_is_clicked(app, new_page):
    page = new_page()
    page.goto(f"{app}/compare?{DIGIT}&mode=models&model2=digits-run/step-00100&layer=2&head=3")
    expect(page.locator(".st-key-compare_heads .js-plotly-plot")).to_be_visible()
    settled(page)
    shape = vitviz.load("digits").config.depth, vitviz.load("digits").config.num_heads
    for layer, head in ((3, 1), (0, 2)):
        click_cell(page, "compare_heads", shape, (layer, head))
        page.wait_for_url(f"**head2={layer + 1}-{head + 1}*", wait_until="commit")
        settled(page)
    words = page.locator("[data-testid=match] [data-ref=valueB]")
    eventually(page, lambda: "ayer 1, head 3" in (words.text_content() or ""))


@pytest.mark.exhaustive
def test_a_cell_of_the_change_and_of_the_cka_map_is_clicked(app, new_page):
    page = new_page()
    model = vitviz.load("digits")
    shape = model.config.depth, model.config.num_heads
    page.goto(f"{app}/compare?{DIGIT}&mode=checkpoints")
    expect(page.locator(".st-key-compare_change .js-plotly-plot")).to_be_visible()
    click_cell(page, "compare_change", shape, (4, 1))
    page.wait_for_url("**layer=5&head=2*", wait_until="commit")
    page.goto(f"{app}/compare?{DIGIT}&mode=models&model2=digits-run/step-00100&layer=2&head=3")
    page.locator(".st-key-compare_cka button").click()
    expect(page.locator(".st-key-compare_cka_chart .js-plotly-plot")).to_be_visible()
    click_cell(page, "compare_cka_chart", (shape[0], shape[0]), (3, 5))
    page.wait_for_url("**layer=4*", wait_until="commit")
    traces = [vitviz.load(name).trace(state.samples()["digit-4"]) for name in ("digits", "digits-run/step-00100")]
    alike = vitviz.analysis.comparison.head_resemblance(*traces, 3, 2)
    head = int(np.argmax(alike[5])) + 1
    page.wait_for_url(f"**head2=6-{head}*", wait_until="commit")


def test_nothing_sticks_out_on_a_phone(explore):
    assert_nothing_sticks_out(explore(f"{DIGIT}&with=digit-8", viewport=PHONE).page)
