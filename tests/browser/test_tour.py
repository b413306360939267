"""The guided tour in a browser: it highlights what it speaks about, notices what the visitor tries, and is resumed."""

import pytest
from playwright.sync_api import Page, expect

from vitviz.ui.tour.stops import stops
from vitviz.zoo import SHIPPED

from .explanations import IMAGE, click_patch
from .layout import assert_nothing_sticks_out, box_at_rest, in_all_fonts, settled
from .test_layout import PHONE

COUNT = {name: len(stops(entry.config)) for name, entry in SHIPPED.items()}["dinov2-small"]
RING = "[data-ref=ring]"


@pytest.fixture
def tour(app, new_page):
    """Open the tour by a link to one of its stops."""

    def open_tour(stop: int, parameters: str = "", **options) -> Page:
        page = new_page(**options)
        page.goto(f"{app}/?tour={stop}&{parameters}")
        assert_at(page, stop)
        return page

    return open_tour


def assert_at(page: Page, stop: int) -> None:
    expect(page.get_by_test_id("tour-count")).to_have_text(f"{stop} of {COUNT}")
    page.wait_for_function(f"location.search.includes('tour={stop}')")
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
    page.get_by_role("button", name="Next", exact=True).click()


@pytest.mark.parametrize("model", SHIPPED)
def test_every_stop_finds_what_it_speaks_about(model, tour):
    page = tour(1, f"model={model}")
    for stop in range(1, COUNT + 1):
        assert_at(page, stop)
        expect(page.locator(RING)).to_be_visible()
        if stop < COUNT:
            next_stop(page)
    page.get_by_role("button", name="Finish").click()
    expect(page.get_by_test_id("tour")).to_have_count(0)
    expect(page.get_by_role("button", name="Take the guided tour")).to_be_visible()
    assert "tour" not in page.url


def test_a_hint_disappears_once_it_was_done_and_the_tour_is_resumed_where_it_was_left(app, new_page):
    page = new_page()
    page.goto(app)
    page.get_by_role("button", name="Take the guided tour").first.click()
    assert_at(page, 1)
    next_stop(page)
    assert_at(page, 2)
    expect(page.get_by_test_id("tour-hint")).to_be_visible()
    assert_ring_surrounds(page, page.get_by_test_id(IMAGE).first)
    click_patch(page, 0, 4, 5)
    expect(page.get_by_test_id("tour-hint")).to_be_hidden()
    page.get_by_role("button", name="Leave the tour").click()
    expect(page.get_by_test_id("tour")).to_have_count(0)
    page.get_by_role("link", name="Explore", exact=True).click()
    page.get_by_role("button", name="Resume the tour at stop 2").click()
    assert_at(page, 2)
    expect(page.get_by_test_id("tour-hint")).to_be_hidden()
    expect(page.get_by_text("in row 5, column 6.")).to_be_visible()


def test_hovering_is_noticed_too(tour):
    page = tour(15)
    expect(page.get_by_test_id("tour-hint")).to_be_visible()
    settled(page)
    image = page.get_by_test_id("explorer-image")
    for x in (100, 200, 300):
        image.hover(position={"x": x, "y": 120})
    expect(page.get_by_test_id("tour-hint")).to_be_hidden()


def test_the_keyboard_is_enough(tour):
    page = tour(16)
    page.get_by_role("button", name="Next", exact=True).focus()
    page.keyboard.press("Enter")
    assert_at(page, 17)
    page.get_by_role("button", name="Back", exact=True).focus()
    page.keyboard.press("Enter")
    assert_at(page, 16)
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("tour")).to_have_count(0)


def test_who_looks_at_another_page_is_shown_the_way_back(tour):
    page = tour(3)
    page.get_by_role("link", name="Explore", exact=True).click()
    expect(page.get_by_text("This stop is on another page.")).to_be_visible()
    page.get_by_role("button", name="Go there").click()
    assert_at(page, 3)
    expect(page.get_by_text("3 · Flattening")).to_be_visible()


@in_all_fonts
@pytest.mark.parametrize("stop", [2, 10])
def test_on_a_phone_the_card_fits_and_covers_no_target(stop, tour):
    page = tour(stop, viewport=PHONE, has_touch=True, is_mobile=True)
    expect(page.get_by_test_id(IMAGE).first).to_be_visible()
    assert_nothing_sticks_out(page)
    card = box_at_rest(page.get_by_test_id("tour"))
    assert card["x"] >= 0
    assert card["x"] + card["width"] <= PHONE["width"]
    assert card["y"] + card["height"] <= PHONE["height"]
