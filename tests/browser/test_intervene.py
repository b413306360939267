"""The page "Intervene" in a browser: what is clicked is switched, and the screen says what the library says."""

import re

from playwright.sync_api import Page, expect

import vitviz
from vitviz.interventions import HeadOff, PatchOff
from vitviz.predictions import predictions
from vitviz.ui import state

from .explanations import assert_nothing_sticks_out, click_patch, expect_number, opener
from .test_layout import PHONE

LAST = "Sweep: what does each part do?"
DIGIT = "model=digits&image=digit-4"


def opened(app, new_page, parameters="", **options) -> Page:
    return opener(app, new_page, "intervene", LAST, 1)(parameters, **options)


def part(page: Page, layer: int, column):
    return page.locator(f"[data-testid=board] button[data-layer='{layer}'][data-column='{column}']")


def wait(page: Page) -> None:
    page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]")


def test_a_head_is_clicked_off_and_the_page_says_what_the_library_says(app, new_page):
    page = opened(app, new_page, DIGIT)
    digit = vitviz.load("digits").trace(state.samples()["digit-4"])
    part(page, 5, 1).click()
    expect(part(page, 5, 1)).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_text("Layer 6, head 2: off (its output is zero)")).to_be_visible()
    after = predictions(digit.again(edits=[HeadOff(5, 1)]), 10)
    for one in predictions(digit):
        shown = page.locator(f"[data-class='{one.label}']")
        wanted = next(other.probability for other in after if other.label == one.label)
        assert abs(wanted - one.probability) > 1e-6
        expect_number(shown, "after", wanted)
        expect_number(shown, "before", one.probability)
    expect(page).to_have_url(re.compile("edits=h6.2z"))

    click_patch(page, 0, 3, 4, rows=8)
    expect(page.get_by_text("Patch (4, 5): off (no token can look at it)")).to_be_visible()
    after = {one.label: one for one in predictions(digit.again(edits=[HeadOff(5, 1), PatchOff(29)]), 10)}
    expect_number(page.locator("[data-class='4']"), "after", after["4"].probability)
    click_patch(page, 0, 3, 4, rows=8)
    expect(page.get_by_text("Patch (4, 5): off")).to_have_count(0), "the same patch again switches it on"

    part(page, 5, 1).click()
    expect(page.get_by_text("Nothing is changed yet.")).to_be_visible()
    expect(page).not_to_have_url(re.compile("edits="))


def test_quick_clicks_are_all_heard(app, new_page):
    page = opened(app, new_page, DIGIT)
    for head in range(4):
        part(page, 0, head).click(no_wait_after=True)
    part(page, 2, "attention").click()
    expect(page.locator("[data-testid=board] button[aria-pressed=true]")).to_have_count(5)
    expect(page.get_by_text("What is changed (5)")).to_be_visible()
    part(page, 0, "all").click()
    expect(page.locator("[data-testid=board] button[aria-pressed=true]")).to_have_count(1)


def test_a_sweep_can_be_run_and_stopped(app, new_page):
    page = opened(app, new_page, "image=flower")
    page.locator(".st-key-sweep_what").get_by_text("patches").click()
    wait(page)
    page.get_by_role("button", name="Run the sweep: 256 passes").click()
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_text("Stopped; what was found so far is not kept.")).to_be_visible()
    page.locator(".st-key-sweep_what").get_by_text("heads").click()
    wait(page)
    page.get_by_role("button", name="Run the sweep: 72 passes").click()
    expect(page.get_by_role("button", name="Numbers (CSV)")).to_be_visible()
    expect(page.get_by_text("It changes most without layer")).to_be_visible()


def test_nothing_sticks_out_of_a_phone(app, new_page):
    page = opened(app, new_page, f"{DIGIT}&edits=h1.1z,c2.2,p3k", viewport=PHONE, is_mobile=True, has_touch=True)
    assert_nothing_sticks_out(page)
