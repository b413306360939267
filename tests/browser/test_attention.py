"""The page "Attention" in a browser: patches are chosen, the dictionary answers, the picture stays beside the text."""

import pytest
from playwright.sync_api import expect

from tests.browser.explanations import IMAGE, click_patch, expect_scored, opener
from tests.browser.layout import assert_nothing_sticks_out, in_wide_fonts
from tests.browser.test_layout import PHONE
from tests.support.exhaustive import exhaustive


@pytest.fixture
def attention(app, new_page):
    return opener(app, new_page, "attention", ".st-key-part_reach h2", 2)


def test_a_click_chooses_the_query_and_another_the_key(attention):
    page = attention("layer=6&head=2")
    click_patch(page, 0, 4, 5)
    expect_scored(page, (5, 6))
    click_patch(page, 1, 10, 12)
    expect_scored(page, (5, 6), (11, 13))
    page.wait_for_function("location.href.includes('query=5-6')")
    assert "✗" not in page.inner_text("body")


def test_the_dictionary_answers_another_query(attention):
    page = attention("model=digits")
    query, answer = page.locator(".st-key-dictionary_query input"), page.locator(".st-key-part_idea strong")
    expect(answer.get_by_text("strawberry", exact=True)).to_be_visible()
    query.fill("bluebery")
    query.press("Enter")
    expect(answer.get_by_text("blueberry", exact=True)).to_be_visible()


def test_the_picture_stays_beside_the_text(attention):
    page = attention()
    page.locator(".st-key-part_softmax h2").evaluate("title => title.scrollIntoView()")
    expect(page.get_by_test_id(IMAGE).first).to_be_in_viewport(ratio=0.9)


@in_wide_fonts
@pytest.mark.parametrize("parameters", ["", exhaustive("model=digits")])
def test_nothing_is_wider_than_a_phone(parameters, attention):
    assert_nothing_sticks_out(attention(parameters, viewport=PHONE))
