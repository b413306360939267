"""The page "Image to sequence" in a browser: patch, component and filter are chosen, and the numbers follow them."""

import re

import pytest
from playwright.sync_api import expect

import vitviz
from tests.browser.explanations import IMAGE, at_patch, click_patch, expect_chosen_patch, expect_scored, opener
from tests.browser.layout import (
    assert_no_table_is_cut,
    assert_nothing_sticks_out,
    box_at_rest,
    go_to,
    in_wide_fonts,
)
from tests.browser.test_layout import PHONE
from vitviz.ui.app import state
from vitviz.ui.pages.sequence.page import similar_positions
from vitviz.ui.pages.sequence.projection import responses
from vitviz.ui.pages.sequence.settings import POSITIONS, RESPONSES
from vitviz.ui.widgets.strips import number
from vitviz.ui.widgets.sums import round_consistently
from vitviz.walkthrough import sequence


@pytest.fixture
def story(app, new_page):
    return opener(app, new_page, "sequence", ".st-key-part_what_if h2", 2)


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
    image = page.get_by_test_id(IMAGE).first
    image.focus()
    for key in ("ArrowRight", "ArrowDown", "Enter"):
        image.press(key)
    expect_chosen_patch(page, 6, 7)
    made = sequence.project(trace, 5 * 16 + 6, 0)
    expect(page.get_by_text(summed(made))).to_be_visible()
    assert "✗" not in page.inner_text("body")


@pytest.mark.exhaustive
def test_the_same_patch_is_followed_on_both_pages(story):
    page = story("image=cat")
    click_patch(page, 0, 2, 3)
    expect_chosen_patch(page, 3, 4)
    go_to(page, "Attention")
    expect_scored(page, (3, 4))


@pytest.mark.exhaustive
def test_similar_positions_lie_over_the_picture_and_no_table_is_cut(story):
    page = story("image=cat")
    trace = vitviz.load("dinov2-small").trace(state.samples()["cat"], size=224)
    label = similar_positions(trace, 1 + 8 * 16 + 8).caption
    expect(page.get_by_text(label)).to_have_count(0)
    page.get_by_role("radio", name=POSITIONS).click()
    expect(page.get_by_text(label)).to_be_visible()
    page.locator(".st-key-what_if_patch").get_by_role("radio").first.click()
    page.locator(".st-key-predict_tokens").get_by_role("radio").last.click()
    expect(page.locator(".st-key-what_if_costs table")).to_be_visible()
    assert_no_table_is_cut(page, 4)


@pytest.mark.exhaustive
def test_the_dot_product_follows_the_pointer_the_keys_and_touch(story):
    trace = vitviz.load("digits").trace(state.samples()["digit-4"])
    values = sequence.filter_responses(trace, 0)
    page = story("model=digits&image=digit-4", has_touch=True)
    picker = page.locator(".st-key-dot_products")
    image, product = picker.get_by_test_id(IMAGE), picker.get_by_test_id("patch-picker-product")
    expect(product).to_have_text(number(values[4, 4]))
    image.scroll_into_view_if_needed()
    box = box_at_rest(image)

    def middle(row: int, column: int) -> dict[str, float]:
        return {"x": (column + 0.5) * box["width"] / 8, "y": (row + 0.5) * box["height"] / 8}

    for row, column in ((1, 2), (5, 6)):
        image.hover(position=middle(row, column))
        expect(product).to_have_text(number(values[row, column]))
        expect(picker.get_by_test_id("patch-picker-status")).to_have_text(
            at_patch(row + 1, column + 1, number(values[row, column]))
        )
    page.mouse.move(2, 2)
    expect(product).to_have_text(number(values[4, 4]))
    image.focus()
    image.press("ArrowUp")
    expect(product).to_have_text(number(values[3, 4]))
    image.tap(position=middle(6, 1))
    expect_chosen_patch(page, 7, 2, side=8)
    expect(product).to_have_text(number(values[6, 1]))
    page.locator(".st-key-dimension").get_by_role("slider").press("ArrowRight")
    expect(product).to_have_text(number(sequence.filter_responses(trace, 1)[6, 1]))


@pytest.mark.exhaustive
def test_the_map_of_dot_products_lies_over_the_picture(story):
    trace = vitviz.load("digits").trace(state.samples()["digit-4"])
    page = story("model=digits&image=digit-4")
    page.get_by_role("radio", name=RESPONSES).click()
    legend = page.locator(".st-key-sequence_picture").get_by_test_id("patch-picker-legend")
    expect(legend).to_contain_text(responses(trace, 0).caption)


@pytest.mark.exhaustive
def test_the_vector_and_the_patch_point_at_each_other(story):
    page = story("model=digits&image=digit-4")
    flat, strip, patch = (page.get_by_test_id(f"flattening{part}") for part in ("", "-strip", "-patch"))
    slider = page.locator(".st-key-vector_index").get_by_role("slider")
    index = sequence.flat_index(2, 1, 1, patch=4)

    def expect_shown(shown: int, chosen: int) -> None:
        row, column, channel = sequence.unflatten_index(shown, patch=4)
        places = {"index": shown, "row": row, "column": column, "channel": channel, "chosen": chosen}
        for name, value in places.items():
            expect(flat).to_have_attribute(f"data-{name}", str(value))

    strip.scroll_into_view_if_needed()
    box = box_at_rest(strip)
    at_index = {"x": (index + 0.5) / 48 * box["width"], "y": box["height"] / 2}
    strip.hover(position=at_index)
    expect_shown(index, 0)
    strip.click(position=at_index)
    expect(slider).to_have_value(str(index + 1))
    box = box_at_rest(patch)
    patch.hover(position={"x": 3.5 / 4 * box["width"], "y": 0.5 / 4 * box["height"]})
    expect_shown(sequence.flat_index(0, 3, 1, patch=4), index)
    page.mouse.move(2, 2)
    expect_shown(index, index)
    strip.focus()
    for key in ("ArrowRight", "ArrowDown"):
        strip.press(key)
    expect_shown(index + 1 + 12, index)
    strip.press("Enter")
    expect(slider).to_have_value(str(index + 14))
    page.get_by_test_id("flattening-near").locator("span").first.click()
    expect(slider).not_to_have_value(str(index + 14))


def test_pixels_become_the_vector_one_by_one_unless_motion_is_reduced(story):
    page = story("model=digits&image=digit-4")
    flat = page.get_by_test_id("flattening")
    page.get_by_test_id("flattening-play").click()
    expect(flat).to_have_attribute("data-shown", re.compile(r"^\d+$"))
    expect(flat).to_have_attribute("data-shown", "")
    calm = story("model=digits&image=digit-4", reduced_motion="reduce")
    expect(calm.get_by_test_id("flattening")).to_be_visible()
    expect(calm.get_by_test_id("flattening-play")).to_be_hidden()


def test_the_class_token_is_followed_by_a_click_and_by_the_link(story):
    page = story("image=cat")
    page.get_by_role("radio", name="class token").click()
    expect(page.locator(".st-key-no_pixels_flattening")).to_be_visible()
    expect(page.get_by_test_id("sequence-matrix")).to_have_attribute("data-chosen", "0")
    expect(page).to_have_url(re.compile(r"[?&]query=cls\b"))
    page.reload()
    expect(page.locator(".st-key-no_pixels_flattening")).to_be_visible()
    page.locator(".st-key-follow_a_patch_splitting button").click()
    expect_chosen_patch(page, 9, 9)


@pytest.mark.exhaustive
@in_wide_fonts
@pytest.mark.parametrize("parameters", ["", "model=digits"])
def test_nothing_is_wider_than_a_phone(parameters, story):
    assert_nothing_sticks_out(story(parameters, viewport=PHONE))
