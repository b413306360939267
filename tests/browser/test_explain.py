"""The page "Explain" in a browser: targets are chosen, maps compared, a map enlarged, slow work stopped."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

import vitviz
from tests.browser.explanations import IMAGE, at_patch
from tests.browser.layout import assert_nothing_sticks_out, box_at_rest, choose, go_to, in_wide_fonts, settled
from tests.browser.test_layout import PHONE
from vitviz.analysis.attribution import METHODS, DifferenceTarget, explain
from vitviz.analysis.attribution.faithfulness import curves, random_curves
from vitviz.analysis.attribution.targets import default_target
from vitviz.ui.app import state
from vitviz.ui.widgets.strips import number

QUICK = {
    "attention": "Attention",
    "rollout": "Rollout",
    "gradient_attention": "Gradient × attention",
    "legrad": "LeGrad",
}

COMPARE = ".st-key-explain_compare_0 button"


@pytest.fixture
def explained(app, new_page):
    def open_page(parameters: str = "", **options) -> Page:
        page = new_page(**options)
        page.goto(f"{app}/explain?{parameters}")
        expect(page.get_by_test_id("explanation")).to_have_count(len(QUICK))
        settled(page)
        return page

    return open_page


def choose_in(page: Page, key: str, option: str) -> None:
    choose(page.locator(f".st-key-explain_{key}").get_by_role("combobox"), option)


def explaining(page: Page, target: str) -> Locator:
    """The maps with this target in a caption."""
    return page.get_by_test_id("explanation").filter(has_text=target)


def test_the_comparison_of_a_chosen_target_is_the_librarys(explained):
    page = explained("model=digits&image=digit-4")
    choose_in(page, "minus_0", "9")
    expect(explaining(page, DifferenceTarget(4, 9, ("4", "9")).label)).to_have_count(2)
    page.locator(COMPARE).click()
    areas = page.get_by_test_id("areas").get_by_role("row")
    expect(areas).to_have_count(1 + len(QUICK) + 1)
    trace, target = vitviz.load("digits").trace(state.samples()["digit-4"]), DifferenceTarget(4, 9)
    for place, (method, title) in enumerate(QUICK.items()):
        found = explain(trace.model, trace, method=method, target=target).map
        expected = curves(trace.model, trace, found, target, baseline="mean")
        row = areas.nth(1 + place)
        expect(row).to_contain_text(title)
        expect(row).to_contain_text(number(expected.deletion_auc))
        expect(row).to_contain_text(number(expected.insertion_auc))
    expect(areas.last).to_contain_text(
        number(random_curves(trace.model, trace, target, baseline="mean", seeds=5).deletion_auc)
    )
    expect(page.locator(COMPARE)).to_have_count(0), "nothing is left to do or to stop"


@pytest.mark.exhaustive
def test_images_are_compared_and_a_second_target_stands_below_the_first(explained):
    page = explained("image=cat")
    own = default_target(vitviz.load("dinov2-small").trace(state.samples()["cat"], size=224)).label
    expect(explaining(page, own)).to_have_count(2)
    choose_in(page, "images_1", "coffee")
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("explanation")).to_have_count(len(QUICK) + 2)
    expect(explaining(page, "coffee")).to_have_count(2)
    expect(explaining(page, own)).to_have_count(2)
    settled(page)
    tops = [box_at_rest(page.locator(f".st-key-explain_row_{row}"))["y"] for row in (0, 1)]
    assert tops[0] < tops[1]


def test_a_map_can_be_enlarged_and_says_its_values(explained):
    page = explained("model=digits&image=digit-4")
    page.locator(".st-key-explain_enlarge_legrad_0 button").click()
    dialog = page.locator(".st-key-explain_closer")
    expect(dialog.get_by_text(METHODS["legrad"].paper)).to_be_visible()
    found = explain(
        vitviz.load("digits"),
        state.samples()["digit-4"],
        method="legrad",
        target=vitviz.ClassTarget(4),
    ).map
    image = dialog.get_by_test_id(IMAGE)
    settled(page)
    box = box_at_rest(image)
    image.hover(position={"x": 2.5 * box["width"] / 8, "y": 3.5 * box["height"] / 8})
    expect(dialog.get_by_test_id("patch-picker-status")).to_contain_text(at_patch(4, 3, f"{found[3, 2]:.3g}"))
    dialog.get_by_role("button", name="Close").click()
    expect(dialog).to_have_count(0)
    settled(page)
    page.locator(".st-key-explain_enlarge_attention_0 button").click()
    expect(page.locator(".st-key-explain_closer").get_by_text(METHODS["attention"].paper)).to_be_visible()


def test_slow_work_says_seconds_comes_coarse_first_goes_on_on_another_page_and_can_be_stopped(explained):
    page = explained("image=flower&size=308")
    duration = re.compile("Takes about .* on this server")  # of three maps, and of the example classes
    expect(page.get_by_text(duration)).to_have_count(4)
    page.get_by_role("button", name="Compute").last.click()  # 484 patches are covered one by one
    expect(page.get_by_text(re.compile("Occlusion.*: about .* left"))).to_be_visible()
    expect(page.get_by_test_id("coarse")).to_be_visible()
    expect(page.get_by_test_id("coarse")).to_contain_text("coarse, not the final map")
    go_to(page, "Start")
    expect(page.get_by_test_id("coarse")).to_have_count(0)
    go_to(page, "Explain")
    expect(page.get_by_test_id("explanation").nth(len(QUICK) - 1)).to_be_visible()
    expect(page.get_by_role("button", name="Compute")).to_have_count(1), "nobody has to ask again"
    page.get_by_text("blurred image", exact=True).last.click()
    expect(page.get_by_role("radio", name="blurred image")).to_be_checked(), "clicks are answered meanwhile"
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_role("progressbar")).to_have_count(0)
    expect(page.get_by_role("button", name="Compute")).to_have_count(2)
    expect(page.get_by_test_id("explanation")).to_have_count(len(QUICK))


@pytest.mark.exhaustive
@in_wide_fonts
@pytest.mark.parametrize("parameters", ["image=cat", "model=digits"])
def test_nothing_is_wider_than_a_phone(parameters, explained):
    assert_nothing_sticks_out(explained(parameters, viewport=PHONE))
