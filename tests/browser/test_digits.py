"""Drawing on the pad: what is drawn is the image, and what the page predicts is what the library says of it."""

import base64

import numpy as np
import pytest
from playwright.sync_api import Page, expect

import vitviz
from tests.browser.layout import box_at_rest, choose, eventually, settled
from tests.support.exhaustive import exhaustive
from vitviz.analysis.predictions import Prediction, predictions
from vitviz.notation.marks import percent

# Strokes on a square of side 1.
DIGITS = {
    "7": [[(0.25, 0.25), (0.75, 0.25), (0.45, 0.8)]],
    "1": [[(0.5, 0.15), (0.5, 0.85)]],
    "4": [[(0.55, 0.15), (0.25, 0.6), (0.8, 0.6)], [(0.62, 0.4), (0.62, 0.88)]],
    "0": [[(0.5 + 0.22 * np.sin(a), 0.5 - 0.33 * np.cos(a)) for a in np.linspace(0, 2 * np.pi, 25)]],
}


def draw(page: Page, strokes) -> None:
    """Draw with the mouse; the pen is lifted after each stroke."""
    settled(page)
    pad = page.locator("canvas.upper-canvas:visible")
    pad.scroll_into_view_if_needed()
    box = box_at_rest(pad)
    for stroke in strokes:
        (x, y), *others = [(box["x"] + u * box["width"], box["y"] + v * box["height"]) for u, v in stroke]
        page.mouse.move(x, y)
        page.mouse.down()
        for x, y in others:
            page.mouse.move(x, y, steps=8)
        page.mouse.up()


def drawn(page: Page) -> bytes:
    """Drawing on the pad, as PNG."""
    url = page.locator("canvas.dc-canvas.lower-canvas:visible").evaluate("canvas => canvas.toDataURL()")
    return base64.b64decode(url.partition("base64,")[2])


def shown(page: Page) -> list[tuple[str, float]]:
    """Classes and probabilities on the page."""
    items = page.get_by_test_id("prediction").get_by_role("listitem")
    return [(i.get_attribute("data-class"), float(i.get_attribute("data-probability"))) for i in items.all()]


def predicted(page: Page) -> list[Prediction]:
    """Predictions of the library for the pad, once the page says the same: a stroke before the last may be a 4, too."""
    found = predictions(vitviz.load("digits").trace(drawn(page)))
    wanted = [(one.label, pytest.approx(one.probability, abs=1e-6)) for one in found]
    eventually(page, lambda: shown(page) == wanted)
    return found


@pytest.mark.parametrize("digit", ["4", *(exhaustive(one) for one in "710")])
def test_a_drawn_digit_is_recognised_and_the_numbers_are_the_librarys(explore, digit):
    page = explore("model=digits&image=digit-3")
    draw(page.page, DIGITS[digit])
    expect(page.page.locator("[data-ref=photo]")).to_have_attribute("alt", "drawing")
    first = page.page.get_by_test_id("prediction").get_by_role("listitem").first
    expect(first).to_have_attribute("data-class", digit)
    found = predicted(page.page)
    expect(first).to_contain_text(percent(found[0].probability))
    page.at_rest()
    page.shows_what_the_library_says(vitviz.load("digits").trace(drawn(page.page)))


@pytest.mark.exhaustive
def test_undo_and_clear(explore):
    page = explore("model=digits&image=digit-3")
    draw(page.page, DIGITS["4"])
    photo = page.page.locator("[data-ref=photo]")
    expect(photo).to_have_attribute("alt", "drawing")
    first = page.page.get_by_test_id("prediction").get_by_role("listitem").first
    expect(first).to_have_attribute("data-class", "4")
    before = predicted(page.page)[0]
    expect(page.page.get_by_test_id("stSidebar")).to_contain_text(f"4, {percent(before.probability)}")
    page.page.locator("canvas.upper-canvas:visible").hover()
    page.page.get_by_role("button", name="Undo", exact=True).click()
    assert predicted(page.page)[0].probability != pytest.approx(before.probability, abs=1e-4)
    page.page.get_by_role("button", name="Reset").click()
    expect(photo).not_to_have_attribute("alt", "drawing")  # an empty pad and a drawing would contradict each other
    page.at_rest()
    assert not page.page.get_by_test_id("stMain").get_by_test_id("stAlert").count()


@pytest.mark.exhaustive
def test_the_pad_appears_with_the_model_that_reads_digits(explore):
    page = explore("image=cat")
    expect(page.page.locator("canvas.upper-canvas:visible")).to_have_count(0)
    expect(page.page.get_by_test_id("prediction")).to_have_count(0)
    choose(page.page.get_by_test_id("stSidebar").get_by_role("combobox").first, "Digits", exact=False)
    expect(page.page.locator("canvas.upper-canvas:visible")).to_be_visible()
    expect(page.page.get_by_test_id("prediction")).to_be_visible()


def test_the_button_on_the_first_page_leads_to_the_pad(app, new_page):
    page = new_page()
    page.goto(app)
    page.get_by_role("button", name="Draw a digit").click()
    page.wait_for_url("**/explore?*model=digits*")
    expect(page.locator("canvas.upper-canvas:visible")).to_be_visible()
