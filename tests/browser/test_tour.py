"""Tour and lesson in a browser: they highlight what they speak about, notice what is tried, and are resumed."""

import pytest
from playwright.sync_api import Page, expect

from scripts.fonts import STATED
from scripts.fonts import WIDE as WIDE_FONTS
from tests.browser.conftest import LAPTOP
from tests.browser.explanations import IMAGE, click_patch, expect_chosen_patch, expect_numbers
from tests.browser.layout import assert_nothing_sticks_out, box_at_rest, eventually, go_to, settled
from tests.browser.test_layout import PHONE
from vitviz.ui.app.tour import GUIDES
from vitviz.zoo import SHIPPED

COUNTS = {name: len(guide.stops(SHIPPED["dinov2-small"].config)) for name, guide in GUIDES.items()}
WIDE = {"width": 1920, "height": 1080}
RING = "[data-ref=ring]"
CARD = "[data-testid=tour]"


@pytest.fixture
def follow(app, new_page):
    """Open a guide by a link to one of its stops."""

    def open_guide(guide: str, stop: int, parameters: str = "", **options) -> Page:
        page = new_page(**options)
        page.goto(f"{app}/?guide={guide}-{stop}&{parameters}")
        assert_at(page, guide, stop)
        return page

    return open_guide


def assert_at(page: Page, guide: str, stop: int) -> None:
    expect(page.get_by_test_id("tour-count")).to_have_text(f"{GUIDES[guide].title} · {stop} of {COUNTS[guide]}")
    page.wait_for_function(f"location.search.includes('guide={guide}-{stop}')")
    expect(page.locator("[data-testid=tour]")).to_have_attribute("data-here", "true")


def assert_ring_surrounds(page: Page, target) -> None:
    expect(page.locator(RING)).to_be_visible()
    page.wait_for_function("ring => ring.getBoundingClientRect().width > 0", arg=page.locator(RING).element_handle())
    settled(page)
    box, ring = box_at_rest(target), box_at_rest(page.locator(RING))
    for side, length in (("x", "width"), ("y", "height")):
        assert ring[side] <= box[side] + 1
        assert ring[side] + ring[length] >= min(box[side] + box[length], page.viewport_size[length]) - 3


def next_stop(page: Page) -> None:
    page.locator(f"{CARD} [data-ref=next]").click()


FREE = """(card) => {
  const box = (node) => node.getBoundingClientRect();
  const [here, ring] = [box(card), box(card.parentNode.querySelector("[data-ref=ring]"))];
  const beside = here.right <= ring.left || ring.right <= here.left;
  const apart = beside || here.bottom <= ring.top || ring.bottom <= here.top;
  const within = ring.top >= 0 && ring.bottom <= innerHeight && here.top >= 0 && here.bottom <= innerHeight;
  return apart && within && ring.width > 0;
}"""


def assert_covers_nothing(page: Page) -> None:
    """The card stands beside its subject, and all of both is within the window."""
    expect(page.locator(RING)).to_be_visible()
    settled(page)
    box_at_rest(page.locator(RING))
    eventually(page, lambda: page.get_by_test_id("tour").evaluate(FREE))
    box_at_rest(page.locator(RING))
    assert page.get_by_test_id("tour").evaluate(FREE)


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    ("fonts", "guide", "model", "viewport"),
    [
        (STATED, "tour", "dinov2-small", LAPTOP),
        (STATED, "tour", "dinov2-small", WIDE),
        (STATED, "tour", "digits", PHONE),
        (WIDE_FONTS, "tour", "dinov2-small", PHONE),
        (STATED, "lesson", "digits", LAPTOP),
        (STATED, "lesson", "digits", WIDE),
        (WIDE_FONTS, "lesson", "dinov2-small", PHONE),
    ],
    indirect=["fonts"],
)
def test_the_card_covers_nothing_of_what_it_speaks_about(guide, model, viewport, follow):
    phone = {"has_touch": True, "is_mobile": True} if viewport is PHONE else {}
    page = follow(guide, 1, f"model={model}", viewport=viewport, **phone)
    for stop in range(1, COUNTS[guide] + 1):
        assert_at(page, guide, stop)
        assert_covers_nothing(page)
        assert_nothing_sticks_out(page)
        if stop < COUNTS[guide]:
            next_stop(page)
    page.locator(f"{CARD} [data-ref=next]").click()
    expect(page.get_by_test_id("tour")).to_have_count(0)
    expect(page.locator(".st-key-sidebar_tour button")).to_be_attached()
    assert "guide" not in page.url


@pytest.mark.exhaustive
def test_the_map_stays_in_view_and_marks_each_stop_of_the_lesson(follow):
    stops = [stop for stop in GUIDES["lesson"].stops(SHIPPED["digits"].config) if stop.page != "explore"]
    page = follow("lesson", 1, "model=digits&image=digit-4")
    the_map = page.get_by_test_id("model-map")
    for number, stop in enumerate(stops, start=1):
        assert_at(page, "lesson", number)
        settled(page)
        expect(the_map).to_have_attribute("data-here", stop.part.removeprefix(".st-key-part_"))
        expect(the_map).to_be_in_viewport(ratio=0.95)
        expect(the_map.locator("button[aria-current=location]")).to_be_in_viewport(ratio=0.95)
        next_stop(page)


@pytest.mark.exhaustive
def test_a_hint_disappears_once_it_was_done_and_the_lesson_is_resumed_where_it_was_left(app, new_page):
    page = new_page()
    page.goto(app)
    page.locator(".st-key-start_lesson button").click()
    assert_at(page, "lesson", 1)
    next_stop(page)
    assert_at(page, "lesson", 2)
    expect(page.get_by_test_id("tour-hint")).to_be_visible()
    assert_ring_surrounds(page, page.get_by_test_id(IMAGE).first)
    click_patch(page, 0, 4, 5)
    expect(page.get_by_test_id("tour-hint")).to_be_hidden()
    page.locator(f"{CARD} [data-ref=leave]").click()
    expect(page.get_by_test_id("tour")).to_have_count(0)
    go_to(page, "Attention")
    resume = page.locator(".st-key-sidebar_tour button")
    expect_numbers(resume, 2)
    resume.click()
    assert_at(page, "lesson", 2)
    expect(page.get_by_test_id("tour-hint")).to_be_hidden()
    expect_chosen_patch(page, 5, 6)


def test_the_tour_begins_on_the_first_page_and_needs_no_other(app, new_page):
    page = new_page()
    page.goto(app)
    page.locator(".st-key-start_tour button").click()
    for stop in range(1, COUNTS["tour"] + 1):
        assert_at(page, "tour", stop)
        assert "/explore" in page.url
        page.locator(f"{CARD} [data-ref=next]").click()
    expect(page.get_by_test_id("tour")).to_have_count(0)


def test_an_older_link_opens_the_lesson(app, new_page):
    page = new_page()
    page.goto(f"{app}/?tour=7")
    assert_at(page, "lesson", 7)


@pytest.mark.exhaustive
def test_hovering_is_noticed_too(follow):
    page = follow("tour", 1)
    expect(page.get_by_test_id("tour-hint")).to_be_visible()
    settled(page)
    image = page.get_by_test_id("explorer-image")
    for x in (100, 200, 300):
        image.hover(position={"x": x, "y": 120})
    expect(page.get_by_test_id("tour-hint")).to_be_hidden()


def test_the_keyboard_is_enough(follow):
    page = follow("lesson", 16)
    page.locator(f"{CARD} [data-ref=next]").focus()
    page.keyboard.press("Enter")
    assert_at(page, "lesson", 17)
    page.locator(f"{CARD} [data-ref=back]").focus()
    page.keyboard.press("Enter")
    assert_at(page, "lesson", 16)
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("tour")).to_have_count(0)


@pytest.mark.exhaustive
def test_who_looks_at_another_page_is_shown_the_way_back(follow):
    page = follow("lesson", 3)
    said = page.locator(f"{CARD} [data-ref=text]").inner_text()
    go_to(page, "Explore")
    expect(page.locator(CARD)).to_have_attribute("data-here", "false")
    expect(page.locator(f"{CARD} [data-ref=text]")).not_to_have_text(said)
    page.locator(f"{CARD} [data-ref=next]").click()
    assert_at(page, "lesson", 3)
    expect(page.locator(".st-key-part_flattening h2")).to_be_visible()


def test_what_is_framed_on_a_phone_lies_below_the_picture_that_stays(follow):
    page = follow("tour", 2, viewport=PHONE, has_touch=True, is_mobile=True)
    assert_covers_nothing(page)
    framed = page.get_by_test_id("explorer").locator("[data-ref=buttons] [aria-pressed=true]")
    assert_ring_surrounds(page, framed)
    assert framed.evaluate(
        """(button) => {
          const { left, top, width, height } = button.getBoundingClientRect();
          return button.getRootNode().elementFromPoint(left + width / 2, top + height / 2) === button;
        }"""
    )
