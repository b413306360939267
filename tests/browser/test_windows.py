"""Windows of other sizes than a laptop's: enlarged to 150 %, so that there is room for 910 x 512 pixels, and wide."""

import pytest
from playwright.sync_api import expect

from tests.browser.layout import assert_no_text_is_cut, assert_nothing_sticks_out, box_at_rest, settled
from tests.support.app_pages import addresses
from tests.support.exhaustive import exhaustive

ENLARGED, WIDE = {"width": 910, "height": 512}, {"width": 1920, "height": 1080}
PAGES = addresses("explore", intervene="edits=h3.2z,p1-12k")
EVERY_DAY = ("attention",)  # the page with most columns
SQUEEZED = """() => [...document.querySelectorAll("[data-testid=stMain] [data-testid=stColumn]")]
  .filter((column) => !column.closest("[class*=st-key-explain_row]")) // a map needs less
  .filter((column) => column.clientWidth < Math.min(250, column.parentElement.clientWidth - 1))
  .map((column) => column.textContent.slice(0, 60))"""


@pytest.mark.parametrize("address", [page if page in EVERY_DAY else exhaustive(page) for page in PAGES])
def test_nothing_is_cut_or_squeezed_when_it_is_enlarged(app, new_page, address):
    page = new_page(viewport=ENLARGED)
    page.goto(f"{app}/{address}")
    assert_nothing_sticks_out(page)
    assert_no_text_is_cut(page)
    assert page.evaluate(SQUEEZED) == []


@pytest.mark.exhaustive
def test_maps_of_explain_use_a_wide_screen(app, new_page):
    page = new_page(viewport=WIDE)
    page.goto(f"{app}/explain")
    row = page.locator(".st-key-explain_row_0")
    expect(row.get_by_test_id("explanation").first).to_be_visible()
    settled(page)
    columns = row.get_by_test_id("stColumn")
    whole, first, last = box_at_rest(row), box_at_rest(columns.first), box_at_rest(columns.last)
    assert first["y"] == pytest.approx(last["y"], abs=2)
    assert first["x"] == pytest.approx(whole["x"], abs=2)
    assert last["x"] + last["width"] == pytest.approx(whole["x"] + whole["width"], abs=2)
