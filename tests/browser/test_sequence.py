"""The page "Image to sequence" in a browser: the patch is chosen with mouse and keys, and the numbers follow it."""

import pytest
from playwright.sync_api import expect

import vitviz
from tests.browser.explanations import IMAGE, click_patch, expect_chosen_patch, expect_scored, opener
from tests.browser.layout import assert_nothing_sticks_out, go_to, in_wide_fonts
from tests.browser.test_layout import PHONE
from tests.support.exhaustive import exhaustive
from vitviz.ui.app import state
from vitviz.ui.pages.sequence.page import similar_positions
from vitviz.ui.pages.sequence.settings import POSITIONS
from vitviz.ui.widgets.sums import round_consistently
from vitviz.walkthrough import sequence


@pytest.fixture
def story(app, new_page):
    return opener(app, new_page, "sequence", ".st-key-part_what_if h2", 1)


def summed(made: sequence.Projected) -> str:
    parts, total = round_consistently([*made.products.sum(axis=(0, 1)).tolist(), made.bias], made.total)
    named = zip(("red", "green", "blue", "bias"), parts, strict=True)
    return f"{' + '.join(f'{name} {part}' for name, part in named)} = {total}"


def test_a_click_and_the_keys_choose_the_patch_that_the_sums_are_about(story):
    trace = vitviz.load("dinov2-small").trace(state.samples()["cat"], size=224, record=("embed.*",))
    page = story("image=cat")
    click_patch(page, 0, 4, 5)
    expect_chosen_patch(page, 5, 6)
    made = sequence.project(trace, 4 * 16 + 5, 0)
    expect(page.get_by_text(summed(made))).to_be_visible()
    image = page.get_by_test_id(IMAGE)
    image.focus()
    for key in ("ArrowRight", "ArrowDown", "Enter"):
        image.press(key)
    expect_chosen_patch(page, 6, 7)
    made = sequence.project(trace, 5 * 16 + 6, 0)
    expect(page.get_by_text(summed(made))).to_be_visible()
    assert "✗" not in page.inner_text("body")


def test_the_same_patch_is_followed_on_both_pages(story):
    page = story("image=cat")
    click_patch(page, 0, 2, 3)
    expect_chosen_patch(page, 3, 4)
    go_to(page, "Attention")
    expect_scored(page, (3, 4))


def test_similar_positions_lie_over_the_picture(story):
    page = story("image=cat")
    label = similar_positions(vitviz.load("dinov2-small").trace(state.samples()["cat"], size=224), (8, 8)).caption
    expect(page.get_by_text(label)).to_have_count(0)
    page.get_by_role("radio", name=POSITIONS).click()
    expect(page.get_by_text(label)).to_be_visible()


@in_wide_fonts
@pytest.mark.parametrize("parameters", ["", exhaustive("model=digits")])
def test_nothing_is_wider_than_a_phone(parameters, story):
    assert_nothing_sticks_out(story(parameters, viewport=PHONE))
