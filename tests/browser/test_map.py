"""Map of the model in a browser: it stays in view, marks the present section, and leads to every other one."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.layout import assert_nothing_sticks_out, box_at_rest, eventually, settled
from tests.browser.test_layout import PHONE

MAP = "model-map"


def the_map(page: Page) -> Locator:
    return page.get_by_test_id(MAP)


def step(page: Page, name: str) -> Locator:
    return the_map(page).locator(f"[data-name={name}]")


def opened(page: Page, address: str) -> Page:
    page.goto(address)
    expect(page.locator(".st-key-part_summary")).to_be_visible()
    settled(page)
    return page


def assert_at(page: Page, part: str) -> None:
    """The heading of a section is right below the map, which marks the steps of this section."""
    expect(the_map(page)).to_have_attribute("data-here", part)
    heading = page.locator(f".st-key-part_{part} h2").first
    expect(heading).to_be_in_viewport()
    lower = box_at_rest(the_map(page))
    top = box_at_rest(heading)["y"] - lower["y"] - lower["height"]
    assert 0 <= top < 60, "neither covered nor far away"


def sticks(page: Page) -> bool:
    header = page.get_by_test_id("stHeader").bounding_box()
    return abs(the_map(page).bounding_box()["y"] - header["y"] - header["height"]) < 3


def test_the_map_leads_through_both_pages(app, new_page):
    page = opened(new_page(), f"{app}/sequence?model=digits&image=digit-4")
    expect(the_map(page)).to_have_attribute("data-here", "input")
    expect(step(page, "image")).to_have_attribute("aria-current", "location")
    step(page, "positions").click()
    assert_at(page, "positions")
    assert sticks(page)
    expect(step(page, "prefix")).to_have_class("here")
    expect(step(page, "image")).not_to_have_attribute("aria-current", "location")
    page.keyboard.press("Shift")  # as a reader does something, the map no longer holds the page at the section
    page.locator(".st-key-part_what_if h2").evaluate("heading => heading.scrollIntoView()")  # below the map
    eventually(page, lambda: the_map(page).get_attribute("data-here") == "what_if")
    expect(step(page, "patches")).to_have_attribute("aria-current", "location")
    step(page, "scores").click()
    expect(page).to_have_url(re.compile("/attention"))
    expect(page.locator(".st-key-part_summary")).to_be_visible()
    settled(page)
    assert_at(page, "scores")
    expect(page).to_have_url(re.compile("digit-4"))
    page.locator(".st-key-other_lesson a").click()
    expect(page).to_have_url(re.compile("/sequence"))


def test_the_map_is_one_tab_stop_and_is_used_with_the_keyboard(app, new_page):
    page = opened(new_page(), f"{app}/attention?model=digits&image=digit-4")
    stops = "nodes => nodes.filter((node) => node.tabIndex === 0).length"
    eventually(page, lambda: the_map(page).get_by_role("button").evaluate_all(stops) == 1)
    step(page, "attention").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(step(page, "scores")).to_be_focused()
    page.keyboard.press("Enter")
    assert_at(page, "scores")
    expect(page.locator(".st-key-part_scores h2").first).to_be_focused()


def test_a_phone_has_a_slim_bar_that_shows_the_present_step(app, new_page):
    page = opened(new_page(viewport=PHONE, has_touch=True, is_mobile=True), f"{app}/attention?model=digits")
    assert the_map(page).bounding_box()["height"] < 52
    page.locator(".st-key-part_softmax h2").evaluate("(node) => node.scrollIntoView()")
    expect(the_map(page)).to_have_attribute("data-here", "softmax")
    assert sticks(page)
    chosen, row = box_at_rest(step(page, "softmax")), box_at_rest(the_map(page))
    assert row["x"] <= chosen["x"] <= row["x"] + row["width"] - chosen["width"]
    assert_nothing_sticks_out(page)


@pytest.mark.exhaustive
def test_the_map_on_start_is_shown_whole_and_opens_a_page(app, new_page):
    page = new_page()
    page.goto(f"{app}/?model=digits")
    expect(the_map(page)).to_be_visible()
    settled(page)
    page.set_viewport_size(PHONE)
    flow = the_map(page).locator("[data-ref=flow]")
    eventually(page, lambda: flow.evaluate("flow => flow.scrollWidth <= flow.clientWidth"))  # in several lines
    step(page, "qkv").click()
    expect(page.locator(".st-key-part_summary")).to_be_visible()
    settled(page)
    assert_at(page, "qkv")
