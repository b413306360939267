"""On a phone: a menu that says what it is and closes after a choice, and a pad on the page."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.layout import assert_nothing_sticks_out, box_at_rest, settled
from tests.support.app_pages import addresses
from tests.support.exhaustive import exhaustive

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
PAGES = addresses()


@pytest.fixture
def phone(new_page) -> Page:
    return new_page(**PHONE)


def open_menu(page: Page) -> None:
    settled(page)
    page.get_by_role("button", name="Menu").tap()
    expect(page.get_by_test_id("stSidebar").get_by_role("link", name="Lens")).to_be_in_viewport()


def assert_menu_is_closed(page: Page) -> None:
    expect(page.get_by_role("button", name="Menu")).to_be_in_viewport()
    expect(page.get_by_test_id("stSidebar").get_by_role("link", name="Lens")).not_to_be_in_viewport()


def test_the_menu_has_a_word_and_closes_after_a_choice(app, phone):
    phone.goto(f"{app}/tokens")
    open_menu(phone)
    word = phone.get_by_role("button", name="Close").evaluate("button => getComputedStyle(button, '::after').content")
    assert "Close" in word
    phone.get_by_test_id("stSidebar").get_by_role("link", name="Lens").tap()
    phone.wait_for_url("**/lens?*")
    assert_menu_is_closed(phone)
    open_menu(phone)
    phone.get_by_test_id("stSidebar").get_by_test_id("gallery").locator("[data-name=coffee]").tap()
    phone.wait_for_url("**/lens?*image=coffee*")
    assert_menu_is_closed(phone)


@pytest.mark.exhaustive
def test_a_menu_that_was_left_open_is_closed_on_return(app, phone):
    phone.goto(f"{app}/tokens")
    open_menu(phone)
    settled(phone)
    for address in (f"{app}/tokens", f"{app}/lens"):
        phone.goto(address)
        settled(phone)
        assert_menu_is_closed(phone)
        open_menu(phone)


def test_all_of_a_card_leads_to_its_page(app, phone):
    phone.goto(app)
    expect(phone.get_by_test_id("model-map").get_by_role("button").first).to_be_visible()  # it may move the cards
    settled(phone)
    card = phone.locator(".st-key-card_tokens")
    card.scroll_into_view_if_needed()
    box = box_at_rest(card)
    phone.touchscreen.tap(box["x"] + box["width"] - 2, box["y"] + box["height"] / 2)
    phone.wait_for_url("**/tokens?*")


def test_a_setting_does_not_close_the_menu(app, phone):
    """Size and fit are often changed together."""
    phone.goto(f"{app}/tokens")
    open_menu(phone)
    phone.get_by_test_id("stSidebar").get_by_text("Camera", exact=True).tap()
    settled(phone)
    expect(phone.get_by_test_id("stSidebar")).to_have_attribute("data-collapsed", "false")


@pytest.mark.exhaustive
def test_on_a_wide_screen_the_sidebar_stays(app, new_page):
    page = new_page()
    page.goto(f"{app}/tokens")
    settled(page)
    page.get_by_test_id("stSidebar").get_by_test_id("gallery").locator("[data-name=coffee]").click()
    page.wait_for_url("**/tokens?*image=coffee*")
    settled(page)
    expect(page.get_by_test_id("stSidebar").get_by_test_id("gallery")).to_be_in_viewport()


def test_a_digit_is_drawn_on_the_page_and_wiped_off(app, phone):
    phone.goto(app)
    phone.get_by_role("button", name="Draw a digit").tap()
    phone.wait_for_url("**/explore?*model=digits*")
    pad = phone.get_by_test_id("stMain").locator("canvas.upper-canvas")
    expect(pad).to_be_in_viewport()
    settled(phone)
    stroke(phone, pad, [(0.25, 0.25), (0.75, 0.25), (0.6, 0.5), (0.45, 0.8)])
    photo = phone.locator("[data-ref=photo]")
    expect(photo).to_have_attribute("alt", "drawing")
    open_menu(phone)
    phone.get_by_test_id("stSidebar").get_by_role("link", name="Lens").tap()
    phone.wait_for_url("**/lens?*")
    assert_menu_is_closed(phone)
    expect(pad).to_be_hidden()
    open_menu(phone)
    phone.get_by_test_id("stSidebar").get_by_role("link", name="Explore").tap()
    expect(photo).to_have_attribute("alt", "drawing")
    expect(pad).to_be_in_viewport()
    phone.get_by_test_id("stMain").get_by_role("button", name="Clear").tap()
    expect(photo).not_to_have_attribute("alt", "drawing")


def stroke(page: Page, pad, points: list[tuple[float, float]]) -> None:
    """Draw with a finger."""
    box, touch = box_at_rest(pad), page.context.new_cdp_session(page)
    places = [{"x": box["x"] + u * box["width"], "y": box["y"] + v * box["height"]} for u, v in points]
    for kind, place in zip(["touchStart", *["touchMove"] * (len(points) - 1)], places, strict=True):
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [place]})
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


@pytest.mark.parametrize(("name", "maps"), [("lens", "lens_maps"), ("tokens", "pca_strip")])
def test_choosing_a_small_map_keeps_the_large_one_in_view(app, phone, name, maps):
    phone.goto(f"{app}/{name}?model=digits&image=digit-4")
    small, large = phone.locator(f".st-key-{maps} button"), phone.get_by_test_id("patch-picker-image")
    expect(large).to_be_visible()
    settled(phone)
    small.last.scroll_into_view_if_needed()
    small.nth(1).tap()
    expect(small.nth(1)).to_have_attribute("aria-pressed", "true")
    settled(phone)
    picture, map_ = box_at_rest(large), box_at_rest(small.nth(1))
    header = box_at_rest(phone.get_by_test_id("stHeader"))
    assert header["y"] + header["height"] <= picture["y"]
    assert picture["height"] <= 0.45 * 844 + 1
    assert picture["y"] + picture["height"] <= map_["y"] + map_["height"] <= 844


# Of some it is checked with wider fonts that they fit, each with its own content.
ELSEWHERE = ("sequence", "attention", "explain", "tokens", "lens")


@pytest.mark.parametrize("name", [exhaustive(name) if name in ELSEWHERE else name for name in PAGES])
def test_pages_have_a_title_of_their_own_and_fit_a_phone(app, phone, name):
    phone.goto(f"{app}/{name}")
    assert_nothing_sticks_out(phone)
    titles = {"": "Start", "sequence": "Image to sequence"}
    expect(phone).to_have_title(f"{titles.get(name, name.capitalize())} · vitviz")
