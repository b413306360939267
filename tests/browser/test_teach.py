"""The page "Teach" in a browser: many images at once, the camera, and the keyboard."""

import base64
import os
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, expect
from scipy.special import softmax

from scripts.app_server import BROWSER_FLAGS
from tests.browser.conftest import LAPTOP, NO_OPTIMISER
from tests.browser.layout import eventually, settled
from tests.browser.test_accessibility import assert_accessible
from tests.browser.test_own_image import give, tiles
from tests.browser.test_phone import PHONE
from tests.support.taught_images import images
from vitviz import fit_head, load
from vitviz.analysis import classifier

ADDRESS = "teach?model=digits"
FAKE_CAMERA = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")


def file(name: str, data: bytes) -> list:
    return [name, "image/png", 0, base64.b64encode(data).decode()]


def files(kind: int, count: int) -> list[list]:
    return [file(f"{kind} {number}.png", data) for number, data in enumerate(images(kind, count))]


def opened(page: Page, app: str) -> Page:
    page.goto(f"{app}/{ADDRESS}")
    expect(cards(page)).to_have_count(2)
    settled(page)
    return page


def cards(page: Page) -> Locator:
    return page.get_by_test_id("class-sets").locator("section")


def thumbnails(page: Page, card: int) -> Locator:
    return cards(page).nth(card).locator("[data-mark]")


def add(page: Page, card: int, *given: list, event: str = "drop") -> None:
    assert give(page, event, *given, to=f"[data-number='{card + 1}']")


def choose_files(page: Page, card: int, *given: tuple[str, bytes]) -> None:
    with page.expect_file_chooser() as chooser:
        cards(page).nth(card).get_by_role("button", name="Add images").click()
    chooser.value.set_files([{"name": name, "mimeType": "image/png", "buffer": data} for name, data in given])


def test_thirty_images_of_two_classes_dropped_at_once(app, new_page):
    page = opened(new_page(), app)
    names, sets = ("bars", "lines"), [files(kind, 15) for kind in (0, 1)]
    for card, name in enumerate(names):
        box = cards(page).nth(card).get_by_role("textbox")
        box.fill(name)
        box.press("Enter")
    for card, given in enumerate(sets):
        add(page, card, *given)
    for card in (0, 1):
        expect(thumbnails(page, card)).to_have_count(15)
    data = [one for kind in (0, 1) for one in images(kind, 15)]
    found = classifier.cross_validate(
        classifier.features(load("digits"), data), [name for name in names for _ in range(15)]
    )
    accuracy = page.locator(".st-key-teach_accuracy")
    expect(accuracy).to_contain_text(f"Leave-one-out: {found.correct} of 30 correct")
    cells = page.get_by_test_id("confusion").locator("td")
    expect(cells.first).to_have_text("bars")
    counts = [int(text) for text in cells.all_inner_texts() if text.isdigit()]
    assert counts == found.confusion().ravel().tolist()
    expect(page.get_by_test_id("least-certain").locator("figure")).to_have_count(5)
    expect(page.get_by_test_id("relevance").locator("figure")).to_have_count(2)
    expect(page.locator(".st-key-teach_prediction li")).to_have_count(2)
    assert_accessible(page)
    page.get_by_role("button", name="Use in all pages").click()
    page.get_by_text("Explain its decision").click()
    boxes = page.get_by_role("combobox")
    expect(boxes.and_(page.get_by_label("Target 1"))).to_have_value(re.compile("^(bars|lines)"))
    expect(page.get_by_test_id("explanation").first).to_be_visible()


def test_images_are_pasted_into_a_class_and_elsewhere_as_ones_own(app, new_page):
    page = opened(new_page(), app)
    one, other = images(0, 2)
    add(page, 1, file("image.png", one), event="paste")
    expect(thumbnails(page, 1)).to_have_count(1)
    expect(thumbnails(page, 1)).to_have_attribute("title", "pasted.png")
    expect(tiles(page)).to_have_count(0)
    assert give(page, "paste", file("image.png", other))
    expect(tiles(page)).to_have_attribute("aria-pressed", "true")
    expect(thumbnails(page, 0)).to_have_count(0)


def test_what_is_no_image_is_named_and_the_others_are_taken(app, new_page):
    page = opened(new_page(), app)
    choose_files(page, 0, ("good.png", images(0, 1)[0]), ("bad.png", b"no image"))
    expect(thumbnails(page, 0)).to_have_count(1)
    expect(page.locator(".st-key-teach_problems").get_by_test_id("stAlert")).to_contain_text("bad.png")
    expect(page.get_by_test_id("class-sets-status")).to_have_text("")


def test_images_are_moved_and_removed_with_the_keyboard(app, new_page):
    page = opened(new_page(), app)
    add(page, 0, *files(0, 3))
    expect(thumbnails(page, 0)).to_have_count(3)
    settled(page)
    thumbnails(page, 0).first.focus()
    page.keyboard.press("ArrowRight")
    expect(thumbnails(page, 0).nth(1)).to_be_focused()
    page.keyboard.press("Delete")
    expect(thumbnails(page, 0)).to_have_count(2)
    settled(page)
    thumbnails(page, 0).first.press("Enter")
    expect(thumbnails(page, 0).first).to_have_attribute("aria-pressed", "true")
    moved = thumbnails(page, 0).first.get_attribute("data-mark")
    page.get_by_label("Move to another class").select_option(label="Class 2")
    expect(thumbnails(page, 1)).to_have_attribute("data-mark", moved)
    expect(thumbnails(page, 0)).to_have_count(1)


def test_classes_are_added_named_and_removed(app, new_page):
    page = opened(new_page(), app)
    page.get_by_role("button", name="Add a class").click()
    expect(cards(page)).to_have_count(3)
    name = cards(page).nth(2).get_by_role("textbox")
    expect(name).to_be_focused()
    name.fill("cup")
    name.press("Enter")
    discard = page.get_by_role("button", name="Remove class: cup")
    expect(discard).to_be_visible()
    settled(page)
    discard.click()
    expect(cards(page)).to_have_count(2)


@pytest.fixture(scope="module")
def filming(browser) -> Iterator[Browser]:
    """A second browser of the same Playwright, of which there is one in a process; its camera shows a test picture."""
    flags = [*BROWSER_FLAGS, NO_OPTIMISER, *FAKE_CAMERA]
    found = browser.browser_type.launch(executable_path=os.environ["VITVIZ_BROWSER"], args=flags)
    yield found
    found.close()


def test_the_camera_takes_ten_while_its_button_is_held(app, filming):
    page = filming.new_page(viewport=LAPTOP)
    opened(page, app)
    cards(page).nth(1).get_by_role("button", name="Camera", exact=True).click()
    shutter = page.get_by_test_id("shutter")
    expect(shutter).to_be_visible()
    eventually(page, lambda: page.locator("video").evaluate("video => video.videoWidth > 0"))
    box = shutter.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    eventually(page, lambda: not re.search(r" of 10", shutter.inner_text()) and page.locator(".taking").count() == 0)
    page.mouse.up()
    expect(thumbnails(page, 1)).to_have_count(10)
    expect(thumbnails(page, 1).last).to_have_attribute("title", "camera 10.jpg")
    shutter.focus()
    page.keyboard.down(" ")
    expect(shutter).to_have_text(re.compile("[1-9] of 10"))
    page.keyboard.up(" ")
    eventually(page, lambda: thumbnails(page, 1).count() > 10)
    cards(page).nth(1).get_by_role("button", name="Camera", exact=True).click()
    expect(shutter).to_be_hidden()
    assert page.locator("video").evaluate("video => video.srcObject") is None
    page.close()


WATCH_CAMERA = """
  window.frames_sent = []; window.tracks = [];
  const toDataURL = HTMLCanvasElement.prototype.toDataURL;
  HTMLCanvasElement.prototype.toDataURL = function (...given) {
    const url = toDataURL.apply(this, given);
    window.frames_sent.push(url);
    return url;
  };
  const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  navigator.mediaDevices.getUserMedia = async (wish) => {
    const stream = await open(wish);
    window.tracks.push(...stream.getTracks());
    return stream;
  };
"""


def test_probabilities_follow_the_camera_until_it_is_stopped(app, filming):
    page = filming.new_page(viewport=LAPTOP)
    page.add_init_script(WATCH_CAMERA)
    opened(page, app)
    for card in (0, 1):
        add(page, card, *files(card, 3))
        expect(thumbnails(page, card)).to_have_count(3)
    settled(page)
    page.get_by_role("button", name="Live camera").click()
    bars = page.get_by_test_id("live-prediction").locator("li")
    expect(bars).to_have_count(2)
    first = bars.first.get_attribute("data-probability")
    eventually(page, lambda: bars.first.get_attribute("data-probability") != first)
    shown, sent = page.evaluate(
        "bars => [bars.map((one) => Number(one.dataset.probability)), window.frames_sent]", bars.element_handles()
    )
    head = fit_head(load("digits"), [one for kind in (0, 1) for one in images(kind, 3)], ["a"] * 3 + ["b"] * 3)
    frames = [base64.b64decode(url.partition(",")[2]) for url in sent]
    logits = classifier.features(load("digits"), frames, head.pooling) @ head.weight.T + head.bias
    expected = softmax(logits, axis=1)
    assert min(abs(one - shown).max() for one in expected) < 1e-4, "the probabilities of one of the frames"
    assert_accessible(page, ("light",))
    page.get_by_role("button", name="Stop the camera").click()
    expect(page.get_by_test_id("live-camera").locator("video")).to_be_hidden()
    count = page.evaluate("window.frames_sent.length")
    assert page.evaluate("window.tracks.every(({ readyState }) => readyState === 'ended')")
    settled(page)
    assert page.evaluate("window.frames_sent.length") == count
    page.get_by_role("button", name="Live camera").click()
    expect(bars).to_have_count(2)
    page.get_by_role("button", name="Keep this picture").click()
    expect(page.get_by_text("Your image: camera.jpg")).to_be_visible()
    page.get_by_role("button", name="Live camera").click()
    expect(bars).to_have_count(2)
    page.get_by_role("link", name="Tokens", exact=True).click()
    eventually(page, lambda: page.evaluate("window.tracks.every(({ readyState }) => readyState === 'ended')"))
    page.close()


def test_without_a_camera_the_page_says_so(app, new_page):
    page = new_page()
    page.add_init_script("Object.defineProperty(navigator, 'mediaDevices', { value: undefined })")
    opened(page, app)
    cards(page).first.get_by_role("button", name="Camera", exact=True).click()
    expect(page.get_by_test_id("class-sets-status")).to_contain_text("camera")
    expect(page.get_by_test_id("shutter")).to_be_hidden()


@pytest.mark.exhaustive
def test_a_phone_has_room_for_it(app, new_page):
    page = opened(new_page(**PHONE), app)
    add(page, 0, *files(0, 3))
    add(page, 1, *files(1, 3))
    expect(page.get_by_test_id("relevance").locator("figure")).to_have_count(2)
    settled(page)
    main = page.get_by_test_id("stMain")
    eventually(page, lambda: main.evaluate("box => box.scrollWidth <= box.clientWidth"))
    thumbnails(page, 0).first.tap()
    assert_accessible(page, ("light",))
