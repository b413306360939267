"""The page "Attention" in a browser: patches are chosen, the dictionary answers, the picture stays beside the text."""

import pytest
from playwright.sync_api import expect

from tests.browser.explanations import IMAGE, click_patch, opener
from tests.browser.layout import assert_nothing_sticks_out, in_wide_fonts
from tests.browser.test_layout import PHONE
from tests.support.exhaustive import exhaustive


@pytest.fixture
def attention(app, new_page):
    return opener(app, new_page, "attention", "7 · Sees all of the image at once", 2)


def test_a_click_chooses_the_query_and_another_the_key(attention):
    page = attention("layer=6&head=2")
    click_patch(page, 0, 4, 5)
    expect(page.get_by_text("the query of patch (5, 6) times the key of")).to_be_visible()
    click_patch(page, 1, 10, 12)
    expect(page.get_by_text("the query of patch (5, 6) times the key of patch (11, 13)")).to_be_visible()
    page.wait_for_function("location.href.includes('query=5-6')")
    assert "✗" not in page.inner_text("body")


def test_the_dictionary_answers_another_query(attention):
    page = attention("model=digits")
    expect(page.get_by_text("Most of the answer comes from strawberry")).to_be_visible()
    page.get_by_role("textbox", name="Query").fill("bluebery")
    page.get_by_role("textbox", name="Query").press("Enter")
    expect(page.get_by_text("Most of the answer comes from blueberry")).to_be_visible()


def test_the_picture_stays_beside_the_text(attention):
    page = attention()
    page.get_by_text("4 · Softmax").evaluate("title => title.scrollIntoView()")
    expect(page.get_by_test_id(IMAGE).first).to_be_in_viewport(ratio=0.9)


@in_wide_fonts
@pytest.mark.parametrize("parameters", ["", exhaustive("model=digits")])
def test_nothing_is_wider_than_a_phone(parameters, attention):
    assert_nothing_sticks_out(attention(parameters, viewport=PHONE))
