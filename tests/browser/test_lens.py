"""The page "Lens" in a browser: choice of layers and patches, and maps with the library's numbers."""

import pytest
from playwright.sync_api import expect

import vitviz
from tests.browser.explanations import IMAGE, at_patch, click_patch, opener
from tests.browser.layout import assert_nothing_sticks_out, box_at_rest, choose, in_wide_fonts, settled
from tests.browser.test_layout import PHONE
from tests.support.exhaustive import exhaustive
from vitviz.analysis.logit_lens import depth_label
from vitviz.notation.marks import percent
from vitviz.ui.app import state
from vitviz.ui.widgets.strips import number


@pytest.fixture
def lens(app, new_page):
    return opener(app, new_page, "lens", ".st-key-lens_patch", 1)


def status(page, row, column, value):
    """Check the status of the map while the pointer is on a patch."""
    expect(page.get_by_test_id("patch-picker-status")).to_contain_text(at_patch(row, column, value))


def test_pointing_says_the_librarys_numbers_and_the_keyboard_chooses_the_layer(lens):
    maps = vitviz.patch_lens(vitviz.load("digits").trace(state.samples()["digit-4"]), 4)
    page = lens("model=digits&image=digit-4")
    click_patch(page, 0, 2, 5, rows=8)
    status(page, 3, 6, percent(float(maps[-1, 2, 5])))
    expect(page.locator(".st-key-part_patches").get_by_text("(3, 6)").first).to_be_visible()
    page.get_by_role("slider", name="Layer").press("ArrowLeft")
    status(page, 3, 6, percent(float(maps[-2, 2, 5])))
    expect(page.get_by_test_id("patch-picker-legend")).to_contain_text(depth_label(5))
    settled(page)
    box = box_at_rest(page.get_by_test_id(IMAGE))
    page.mouse.move(box["x"] + box["width"] / 16, box["y"] + box["height"] / 16)
    status(page, 1, 1, percent(float(maps[-2, 0, 0])))
    for depth, values in enumerate(maps):
        name = f"{depth_label(depth).capitalize()}: {percent(float(values.min()))} to {percent(float(values.max()))}"
        button = page.get_by_role("button", name=name, exact=True)
        expect(button).to_have_attribute("aria-pressed", str(depth == len(maps) - 2).lower())
    page.get_by_role("button", name=depth_label(2)).click()
    expect(page.get_by_test_id("patch-picker-legend")).to_contain_text(depth_label(2))


@pytest.mark.exhaustive
def test_another_image_is_the_target_of_a_model_without_classes(lens):
    model = vitviz.load("dinov2-small")
    rocket = model.trace(state.samples()["rocket"]).output
    maps = vitviz.patch_lens(model.trace(state.samples()["cat"]), rocket)
    page = lens("image=cat")
    choose(page.get_by_role("combobox", name="Compare with"), "rocket")
    expect(page.get_by_test_id("patch-picker-legend")).to_contain_text("“rocket”")
    click_patch(page, 0, 9, 3)
    most = maps.std(axis=(1, 2)).argmax()  # where it begins
    status(page, 10, 4, number(float(maps[most, 9, 3]), 3))


@pytest.mark.exhaustive
@in_wide_fonts
@pytest.mark.parametrize("parameters", [exhaustive(""), "model=digits"])
def test_nothing_is_wider_than_a_phone(parameters, lens):
    assert_nothing_sticks_out(lens(parameters, viewport=PHONE))
