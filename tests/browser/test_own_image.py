"""A user's own image: dropped or pasted anywhere, at hand beside the samples, and there again after a reload."""

import base64
import io
import os
import re

import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from tests.browser.layout import eventually, settled
from tests.browser.test_digits import DIGITS, draw
from tests.browser.test_layout import PHONE
from tests.support.exhaustive import exhaustive
from vitviz.ui.app import state
from vitviz.ui.components.own_image import NOT_IN_LINK

PAGES = ["", "sequence", "lens"]  # what takes it is drawn by the shell, on every page alike
GIVE = """(main, [event, files, text]) => {
  const transfer = new DataTransfer();
  for (const [name, type, size, data] of files) {
    const bytes = data ? Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0)) : new Uint8Array(size);
    transfer.items.add(new File([bytes], name, { type }));
  }
  if (text) transfer.setData("text/plain", text);
  const more = { bubbles: true, composed: true, cancelable: true };
  const given = event === "paste"
    ? new ClipboardEvent(event, { clipboardData: transfer, ...more })
    : new DragEvent(event, { dataTransfer: transfer, ...more });
  main.dispatchEvent(given);
  return given.defaultPrevented;
}"""


def picture(colour: str = "red", size: tuple[int, int] = (64, 64)) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, colour).save(buffer, "PNG")
    return buffer.getvalue()


def image(name: str, colour: str = "red", size: tuple[int, int] = (64, 64)) -> list:
    return [name, "image/png", 0, base64.b64encode(picture(colour, size)).decode()]


def give(page: Page, event: str, *files: list, text: str = "", to: str = "[data-testid=stMain]") -> bool:
    """Paste or drop files into the page; returns whether the page took what was given."""
    return page.locator(to).first.evaluate(GIVE, [event, files, text])


def ready(page: Page, url: str) -> Page:
    page.goto(url)
    expect(page.get_by_test_id("own")).to_be_attached()
    settled(page)
    return page


def assert_looked_at(page: Page, name: str) -> None:
    expect(page.locator("[data-ref=photo]")).to_have_attribute("alt", name)


def tiles(page: Page) -> Locator:
    return page.get_by_test_id("gallery").locator("[data-name=own]")


def kept(page: Page) -> int:
    """Number of images that the browser keeps."""
    return page.evaluate(
        """() => new Promise((resolve) => {
             const opening = indexedDB.open("vitviz", 1);
             opening.onupgradeneeded = () => opening.result.createObjectStore("own images", { keyPath: "tab" });
             opening.onsuccess = () => {
               const count = opening.result.transaction("own images").objectStore("own images").count();
               count.onsuccess = () => { opening.result.close(); resolve(count.result); };
             };
           })"""
    )


@pytest.mark.parametrize("path", [name if name == "sequence" else exhaustive(name) for name in PAGES])
def test_an_image_is_pasted_anywhere(path, app, new_page):
    page = ready(new_page(), f"{app}/{path}")
    assert give(page, "paste", image("image.png"))
    expect(tiles(page)).to_have_attribute("aria-pressed", "true")
    page.wait_for_url("**image=own*", wait_until="commit")
    expect(page.locator(".st-key-notices").get_by_test_id("stAlert")).to_have_count(0)


def test_an_image_is_dropped_anywhere_and_the_page_says_so(app, new_page):
    page = ready(new_page(), f"{app}/explore?model=digits")
    invitation = page.get_by_test_id("own")
    expect(invitation).to_be_hidden()
    assert give(page, "dragover", image("mine.png"))
    expect(invitation).to_be_visible()
    assert give(page, "drop", image("mine.png"))
    expect(invitation).to_be_hidden()
    assert_looked_at(page, "mine.png")


def test_what_is_dropped_on_a_drop_zone_is_for_that_one_alone(app, new_page):
    page = ready(new_page(), f"{app}/intervene?model=digits&edits=c1.1")
    zone = "[data-testid=image-input]"
    give(page, "dragover", image("second.png"), to=zone)
    expect(page.get_by_test_id("own")).to_be_hidden()
    give(page, "drop", image("second.png"), to=zone)
    expect(page.get_by_test_id("stMain").get_by_text("second.png").first).to_be_visible()
    expect(tiles(page)).to_have_count(0)


@pytest.mark.exhaustive
def test_text_is_pasted_as_ever(app, new_page):
    page = ready(new_page(), f"{app}/explore")
    assert not give(page, "paste", text="only words")
    box = ".st-key-model input"
    assert not give(page, "paste", image("image.png"), text="words, and their picture", to=box)
    assert give(page, "paste", image("image.png"), to=box)
    assert_looked_at(page, "pasted.png")


def test_it_is_at_hand_beside_the_samples_survives_a_reload_and_can_be_removed(app, new_page):
    page = ready(new_page(), f"{app}/explore?model=digits")
    give(page, "paste", image("mine.png"))
    assert_looked_at(page, "mine.png")
    eventually(page, lambda: kept(page) == 1)
    page.reload()
    assert_looked_at(page, "mine.png")
    expect(tiles(page)).to_have_attribute("aria-pressed", "true")
    page.get_by_test_id("gallery").locator("[data-name=digit-3]").click()
    assert_looked_at(page, "digit-3")
    page.reload()
    assert_looked_at(page, "digit-3")
    tiles(page).click()
    assert_looked_at(page, "mine.png")
    page.get_by_test_id("gallery").get_by_role("button", name="Remove").click()
    expect(tiles(page)).to_have_count(0)
    assert_looked_at(page, "digit-0")
    eventually(page, lambda: kept(page) == 0)


@pytest.mark.exhaustive
def test_what_is_given_back_quietly_takes_no_notice_away(app, new_page):
    page = ready(new_page(), f"{app}/explore?model=digits")
    give(page, "paste", image("mine.png"))
    assert_looked_at(page, "mine.png")
    eventually(page, lambda: kept(page) == 1)
    page.goto(f"{app}/explore?model=digits&image=digit-3&layer=99")
    expect(tiles(page)).to_be_visible()
    settled(page)
    expect(page.locator(".st-key-notices").get_by_test_id("stAlert").filter(has_text="99")).to_be_visible()


@pytest.mark.exhaustive
def test_the_view_of_an_own_image_is_the_same_after_a_reload(app, new_page):
    """On a grid that no sample has."""
    page = ready(new_page(), f"{app}/explore?fit=native")
    give(page, "paste", image("wide.png", size=(500, 100)))
    assert_looked_at(page, "wide.png")
    page.goto(f"{re.sub('&(layer|query)=[^&]*', '', page.url)}&layer=3&query=2-30")
    assert_looked_at(page, "wide.png")
    explorer = page.get_by_test_id("explorer")
    expect(explorer).to_have_attribute("data-layer", "2")
    page.wait_for_url("**query=2-30*", wait_until="commit")
    expect(page.locator(".st-key-notices").get_by_test_id("stAlert")).to_have_count(0)


@pytest.mark.exhaustive
def test_an_upload_and_a_drawing_survive_a_reload_too(app, new_page):
    page = ready(new_page(), f"{app}/explore?model=digits")
    page.locator(".st-key-sidebar_upload input[type=file]").set_input_files(
        {"name": "up.png", "mimeType": "image/png", "buffer": picture()}
    )
    assert_looked_at(page, "up.png")
    eventually(page, lambda: kept(page) == 1)
    page.reload()
    assert_looked_at(page, "up.png")
    draw(page, DIGITS["7"])
    assert_looked_at(page, "drawing")
    settled(page)
    eventually(page, lambda: page.evaluate(KEPT_NAME) == "drawing")
    page.reload()
    assert_looked_at(page, "drawing")
    expect(page.locator("canvas.upper-canvas:visible")).to_be_visible()
    settled(page)
    assert_looked_at(page, "drawing")


KEPT_NAME = """() => new Promise((resolve) => {
  const opening = indexedDB.open("vitviz", 1);
  opening.onsuccess = () => {
    const all = opening.result.transaction("own images").objectStore("own images").getAll();
    all.onsuccess = () => { opening.result.close(); resolve(all.result[0]?.name); };
  };
})"""


def test_nobody_else_sees_it(app, new_page, browser):
    page = ready(new_page(), f"{app}/explore?model=digits")
    give(page, "paste", image("mine.png"))
    assert_looked_at(page, "mine.png")
    page.wait_for_url("**image=own*", wait_until="commit")
    eventually(page, lambda: kept(page) == 1)
    for other in (page.context.new_page(), new_page()):  # another tab, and another browser
        other.goto(page.url)
        notice = other.locator(".st-key-notices").get_by_test_id("stAlert")
        expect(notice.filter(has_text=NOT_IN_LINK)).to_be_visible()
        assert_looked_at(other, "digit-0")
        expect(tiles(other)).to_have_count(0)


@pytest.mark.exhaustive
def test_a_browser_keeps_no_more_than_a_few(app, new_page):
    first = ready(new_page(), f"{app}/explore?model=digits")
    for number in range(5):
        page = first if number == 0 else ready(first.context.new_page(), f"{app}/explore?model=digits")
        give(page, "paste", image(f"{number}.png"))
        assert_looked_at(page, f"{number}.png")
        eventually(page, lambda number=number, page=page: page.evaluate(HAS, f"{number}.png"))
        assert kept(page) <= 4
        if page is not first:
            page.close()


HAS = """(name) => new Promise((resolve) => {
  const opening = indexedDB.open("vitviz", 1);
  opening.onsuccess = () => {
    const all = opening.result.transaction("own images").objectStore("own images").getAll();
    all.onsuccess = () => { opening.result.close(); resolve(all.result.some((one) => one.name === name)); };
  };
})"""


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    ("file", "said"),
    [
        (["huge.png", "image/png", 21_000_001, ""], "larger than 20 MB"),
        (["notes.txt", "text/plain", 0, base64.b64encode(b"no picture").decode()], "not an image"),
        (["half.png", "image/png", 0, base64.b64encode(picture()[:50]).decode()], "damaged"),
        (["empty.png", "image/png", 0, ""], "empty"),
    ],
)
def test_what_is_no_image_is_refused_in_a_sentence_and_changes_nothing(file, said, app, new_page):
    page = ready(new_page(), f"{app}/explore?image=rocket")
    for event in ("paste", "drop"):
        assert give(page, event, file)
        notice = page.locator(".st-key-notices").get_by_test_id("stAlert")
        expect(notice.filter(has_text=said)).to_be_visible()
        assert_looked_at(page, "rocket")
        expect(tiles(page)).to_have_count(0)
        page.locator(".st-key-notices summary").last.click()
    give(page, "paste", image("good.png"))
    assert_looked_at(page, "good.png")


@pytest.mark.exhaustive
def test_a_file_that_does_not_arrive_is_said_and_the_next_one_is_taken(app, new_page):
    page = ready(new_page(), f"{app}/explore")
    page.route("**/upload_file/**", lambda route: route.abort() if route.request.method == "PUT" else route.continue_())
    give(page, "paste", image("lost.png"))
    notice = page.locator(".st-key-notices").get_by_test_id("stAlert")
    expect(notice.filter(has_text="lost.png")).to_be_visible()
    page.unroute("**/upload_file/**")
    give(page, "paste", image("good.png"))
    assert_looked_at(page, "good.png")


@pytest.mark.exhaustive
def test_of_many_quick_pastes_the_last_one_counts(app, new_page):
    page = ready(new_page(), f"{app}/explore?model=digits")
    for number, colour in enumerate(("green", "blue", "white", "black", "yellow", "red")):
        give(page, "paste", image(f"{number}.png", colour))
    assert_looked_at(page, "5.png")
    settled(page)
    assert_looked_at(page, "5.png")


@pytest.mark.exhaustive
def test_a_large_photo_is_kept_too(app, new_page):
    page = ready(new_page(), f"{app}/explore?model=digits")
    buffer = io.BytesIO()
    Image.frombytes("RGB", (2000, 1500), os.urandom(9_000_000)).save(buffer, "PNG")  # cannot be made smaller
    page.locator(".st-key-sidebar_upload input[type=file]").set_input_files(
        {"name": "large.png", "mimeType": "image/png", "buffer": buffer.getvalue()}
    )
    assert_looked_at(page, "large.png")
    eventually(page, lambda: kept(page) == 1)
    page.reload()
    assert_looked_at(page, "large.png")


@pytest.mark.exhaustive
@pytest.mark.parametrize("viewport", [exhaustive(None), PHONE])
def test_a_panorama_says_what_is_used_and_shows_all_of_it(viewport, app, new_page):
    page = ready(new_page(**({"viewport": viewport} if viewport else {})), f"{app}/explore")
    give(page, "paste", image("wide.png", size=(500, 100)))
    assert_looked_at(page, "wide.png")
    place = page.get_by_test_id("stMain" if viewport else "stSidebar")
    use_all = f".st-key-{'page_use_all' if viewport else 'use_all'} button"
    expect(place.get_by_text("20\u00a0%")).to_be_in_viewport()
    page.locator(use_all).click()
    expect(page.locator(use_all)).to_have_count(0)
    expect(place.get_by_text("20\u00a0%")).to_have_count(0)
    page.wait_for_url("**fit=native*", wait_until="commit")
    own = state.Picked("wide.png", picture(size=(500, 100)), sample=False)
    rows, columns = state.prepared(state.Choice(own, "dinov2-small", 224, "native")).geometry.grid
    if viewport:
        page.get_by_test_id("stExpandSidebarButton").click()
    expect(page.get_by_text(f"{rows} × {columns} =")).to_be_visible()


@pytest.mark.exhaustive
def test_the_same_pixels_by_another_name_are_called_by_that(app, new_page):
    page = ready(new_page(), f"{app}/explore")
    for name in ("one.png", "two.png"):
        give(page, "paste", image(name))
        assert_looked_at(page, name)
