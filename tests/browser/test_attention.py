"""The page "Attention" in a browser: tokens and heads are chosen where they are seen, and the picture stays beside."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.explanations import IMAGE, click_patch, expect_scored, opener
from tests.browser.layout import assert_no_table_is_cut, assert_nothing_sticks_out, in_wide_fonts
from tests.browser.test_layout import PHONE
from tests.support.exhaustive import exhaustive


@pytest.fixture
def attention(app, new_page):
    return opener(app, new_page, "attention", ".st-key-part_reach h2", 2)


def test_a_click_chooses_the_query_and_another_the_key(attention):
    page = attention("model=digits&layer=6&head=2")
    click_patch(page, 0, 4, 5, rows=8)
    expect_scored(page, (5, 6))
    click_patch(page, 1, 6, 7, rows=8)
    expect_scored(page, (5, 6), (7, 8))
    page.wait_for_function("['query=5-6', 'key=7-8'].every((part) => location.href.includes(part))")
    assert "✗" not in page.inner_text("body")


def test_the_class_token_asks_and_answers_and_a_patch_replaces_it(attention):
    page = attention("model=digits&layer=6&head=2&query=cls")
    picker = page.locator(".st-key-attention_picker .patches")
    expect(picker).to_have_attribute("data-row", "")
    page.locator(".st-key-key_token").get_by_role("radio").first.click()
    scored = page.locator(".st-key-score_of p")
    expect(scored).to_have_text(re.compile(r"class token.*class token"))
    expect(page.locator(".st-key-score_picker .patches")).to_have_attribute("data-second", "")
    click_patch(page, 0, 4, 5, rows=8)
    expect(scored).to_have_text(re.compile(r"\(5,\s6\).*class token"))
    expect(page).to_have_url(re.compile("query=5-6"))


def test_a_head_is_chosen_by_its_map_and_the_stream_is_read_row_by_row(attention):
    page = attention("model=digits&layer=6&head=2")
    page.locator(".st-key-head_maps").get_by_role("button").nth(3).click()
    expect(page).to_have_url(re.compile("head=4"))
    rows = page.locator(".vv-stream > span")
    expect(rows).to_have_count(7)
    expect(rows.nth(5).locator("small")).to_be_hidden()
    rows.nth(5).hover()
    expect(rows.nth(5).locator("small")).to_be_visible()
    expect(rows.nth(6).locator("small")).to_be_hidden()


def test_weights_appear_after_the_prediction(attention):
    page = attention("model=digits")
    legend = page.locator(".st-key-attention_picker").get_by_test_id("patch-picker-legend")
    expect(legend).to_be_hidden()
    page.locator(".st-key-predict_strongest").get_by_role("radio").first.click()
    expect(legend).to_be_visible()
    expect(page.locator(".st-key-prediction_strongest")).to_be_visible()
    assert_no_table_is_cut(page, 4)


@pytest.mark.exhaustive
def test_the_weighted_sum_is_added_up_at_once_with_reduced_motion(attention):
    page = attention("model=digits&layer=3&head=2", reduced_motion="reduce")
    page.locator(".vv-running summary").click()
    last = page.locator(".vv-running .vv-term").last
    expect(last).to_be_visible()
    assert last.evaluate("(term) => term.getAnimations({ subtree: true }).length") == 0


@pytest.mark.exhaustive
@pytest.mark.parametrize("width", [853, 911, 1280])  # laptops of 1280, 1366 and 1920 px at 150 %
def test_colour_bars_are_whole_in_a_zoomed_window(width, attention):
    page = attention(viewport={"width": width, "height": 600})
    page.locator(".st-key-predict_strongest").get_by_role("radio").last.click()
    expect(page.locator(".st-key-attention_picker").get_by_test_id("patch-picker-legend")).to_be_visible()
    for legend in page.get_by_test_id("patch-picker-legend").all():
        legend.scroll_into_view_if_needed()
        outer = legend.bounding_box()
        for part in ("low", "bar", "high"):
            inner = legend.locator(f"[data-ref={part}]").bounding_box()
            assert outer["x"] - 1 <= inner["x"]
            assert inner["x"] + inner["width"] <= outer["x"] + outer["width"] + 1
            assert inner["width"] > 5


@pytest.mark.exhaustive
def test_the_dictionary_answers_another_query(attention):
    page = attention("model=digits")
    query, answer = page.locator(".st-key-dictionary_query input"), page.locator(".st-key-part_idea strong")
    expect(answer.get_by_text("strawberry", exact=True)).to_be_visible()
    query.fill("bluebery")
    query.press("Enter")
    expect(answer.get_by_text("blueberry", exact=True)).to_be_visible()


@pytest.mark.exhaustive
def test_the_picture_stays_beside_the_text(attention):
    page = attention()
    page.locator(".st-key-part_softmax h2").evaluate("title => title.scrollIntoView()")
    expect(page.get_by_test_id(IMAGE).first).to_be_in_viewport(ratio=0.9)


@in_wide_fonts
@pytest.mark.parametrize("parameters", ["", exhaustive("model=digits")])
def test_nothing_is_wider_than_a_phone(parameters, attention):
    assert_nothing_sticks_out(attention(parameters, viewport=PHONE))
