"""The page "Compare" in a browser: values under the pointer are the library's and need no request."""

import numpy as np
import pytest
from playwright.sync_api import Page, expect

import vitviz
from tests.browser.layout import assert_asks_nobody, assert_nothing_sticks_out, box_at_rest, pixels_of, settled
from tests.browser.test_layout import PHONE
from vitviz.analysis.comparison import counterparts
from vitviz.ui.app import state
from vitviz.viz.colour import overlay_map, tone

ROOT = "match"


@pytest.fixture
def page_of(app, new_page):
    def open_page(parameters: str, **options) -> Page:
        page = new_page(**options)
        page.goto(f"{app}/compare?{parameters}")
        expect(page.locator("[data-testid=match][data-patch]")).to_be_visible()
        settled(page)
        return page

    return open_page


def point_at(page: Page, side: str, grid: tuple[int, int], patch: int) -> None:
    stage = page.get_by_test_id(f"match-{side}")
    stage.scroll_into_view_if_needed()
    box, (row, column) = box_at_rest(stage), divmod(patch, grid[1])
    stage.hover(position={"x": (column + 0.5) * box["width"] / grid[1], "y": (row + 0.5) * box["height"] / grid[0]})


def attribute(page: Page, name: str) -> str:
    return page.get_by_test_id(ROOT).get_attribute(f"data-{name}")


def heat(page: Page, side: str) -> np.ndarray:
    return pixels_of(page.locator(f"[data-testid=match-{side}] canvas")).astype(int)


@pytest.fixture(scope="module")
def flower(model):
    return model.trace(state.samples()["flower"])


def test_similarity_follows_the_pointer_in_both_pictures_and_asks_nobody(page_of, cat, flower):
    page = page_of("image=cat&with=flower&layer=9")
    found = vitviz.match(cat, flower, 8)
    back = vitviz.match(flower, cat, 8)

    def point() -> None:
        for side, matches, patch in (("a", found, 35), ("b", back, 120), ("a", found, 255)):
            point_at(page, side, cat.grid, patch)
            expect(page.get_by_test_id(ROOT)).to_have_attribute("data-patch", str(patch))
            assert attribute(page, "side") == side
            assert int(attribute(page, "partner")) == matches.best[patch]
            assert float(attribute(page, "value")) == pytest.approx(matches.similarity[patch], abs=2e-3)

    assert_asks_nobody(page, point)
    expected = overlay_map("raw", True)[
        np.round(tone(found.similarities(255), "raw", 1, signed=True) * 255).astype(int)
    ]
    assert np.abs(heat(page, "b") - expected).max() <= 10, "at most one step of the colour table, and rounding"


def test_attention_of_both_is_that_of_the_head(page_of, cat, flower):
    page = page_of("image=cat&with=flower&layer=10&head=3&show=attention")
    found = vitviz.match(cat, flower, 9)
    point_at(page, "a", cat.grid, 70)
    expect(page.get_by_test_id(ROOT)).to_have_attribute("data-patch", "70")
    for name, trace, patch in (("top-a", cat, 70), ("top-b", flower, int(found.best[70]))):
        weights = trace.heatmap(9, 2, trace.prefix + patch).ravel()
        assert weights[int(attribute(page, name))] == pytest.approx(weights.max(), abs=1e-3)


def test_what_is_shown_and_chosen_is_in_the_link(page_of, cat, flower):
    page = page_of("image=cat&with=flower&layer=12&centred=on")
    page.get_by_test_id("match-lines").check()
    page.wait_for_function("location.href.includes('lines=on')")
    settled(page)
    slider = page.get_by_test_id("match-threshold")
    slider.fill("0.1")
    slider.dispatch_event("change")
    page.wait_for_function("location.href.includes('threshold=0.1')")
    settled(page)
    expected = len(vitviz.match(cat, flower, 11, centred=True).mutual(0.1))
    assert expected > 1
    expect(page.get_by_test_id(ROOT)).to_have_attribute("data-pairs", str(expected))
    expect(page.locator("[data-testid=match] svg circle")).to_have_count(2 * expected)
    page.get_by_test_id("match-show-colours").check()
    page.wait_for_function("location.href.includes('show=colours')")
    settled(page)
    stage = page.get_by_test_id("match-a")
    stage.focus()
    stage.press("ArrowRight")
    stage.press("Enter")
    page.wait_for_function("location.href.includes('query=9-10')")


def test_two_models_show_the_same_place(page_of, cat):
    page = page_of("image=cat&mode=models&model2=digits&layer=10&head=2&head2=3-1")
    other = vitviz.load("digits").trace(state.samples()["cat"])
    places = counterparts(cat, other)
    point_at(page, "a", cat.grid, 83)
    expect(page.get_by_test_id(ROOT)).to_have_attribute("data-patch", "83")
    assert int(attribute(page, "partner")) == places[83]
    weights = other.heatmap(2, 0, other.prefix + int(places[83])).ravel()
    assert weights[int(attribute(page, "top-b"))] == pytest.approx(weights.max(), abs=1e-3)


@pytest.mark.parametrize(
    "parameters", ["image=cat&with=flower&lines=on&show=attention", "model=digits&image=digit-4&mode=checkpoints"]
)
def test_nothing_sticks_out_on_a_phone(page_of, parameters):
    page = page_of(parameters, viewport=PHONE)
    assert_nothing_sticks_out(page)
