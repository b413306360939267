"""The page "Intervene" in a browser: clicks toggle edits, and the numbers are the library's."""

import re

import pytest
from playwright.sync_api import Page, expect

import vitviz
from tests.browser.explanations import IMAGE, click_patch, expect_number, opener
from tests.browser.layout import assert_nothing_sticks_out, box_at_rest, go_to, in_wide_fonts, settled
from tests.browser.test_layout import PHONE
from tests.support.exhaustive import exhaustive
from vitviz.analysis.predictions import predictions
from vitviz.model.edits import Edit, HeadAblation, KeyMask
from vitviz.notation.edits import format_edits
from vitviz.trace.trace import Trace
from vitviz.ui.app import state

LAST = ".st-key-sweep_what"
DIGIT = "model=digits&image=digit-4"
# Found anew each time: the page may still be making them.
ENDS_WITHIN = """([key, words]) => {
  const tools = document.querySelector(`.st-key-${key}`);
  const room = tools?.closest(".st-key-bench_picture, .st-key-bench_board");
  const button = [...(tools?.querySelectorAll("button") ?? [])].find((one) => one.textContent.includes(words));
  return Boolean(room && button) && button.getBoundingClientRect().right <= room.getBoundingClientRect().right + 1;
}"""


def opened(app, new_page, parameters="", **options) -> Page:
    parameters = parameters if "edits=" in parameters else f"{parameters}&edits=none"
    return opener(app, new_page, "intervene", LAST, 1)(parameters, **options)


def part(page: Page, layer: int, column):
    return page.locator(f"[data-testid=board] button[data-layer='{layer}'][data-column='{column}']")


def listed(page: Page, trace: Trace, edit: Edit):
    """The button in the list that undoes this edit; Streamlit writes a key's other characters as hyphens."""
    key = format_edits((edit,), trace.config, trace.grid)
    return page.locator(f".st-key-undo_{re.sub(r'[^a-zA-Z0-9_-]', '-', key)}")


def test_a_head_is_clicked_off_and_the_page_says_what_the_library_says(app, new_page):
    page = opened(app, new_page, DIGIT)
    digit = vitviz.load("digits").trace(state.samples()["digit-4"])
    part(page, 5, 1).click()
    expect(part(page, 5, 1)).to_have_attribute("aria-pressed", "true")
    expect(listed(page, digit, HeadAblation(5, 1))).to_be_visible()
    after = predictions(digit.rerun(edits=[HeadAblation(5, 1)]), 10)
    had = {one.label: one for one in predictions(digit, 10)}
    for other in sorted(after, key=lambda other: max(other.probability, had[other.label].probability))[-5:]:
        one, wanted = had[other.label], other.probability
        shown = page.locator(f"[data-class='{one.label}']")
        assert abs(wanted - one.probability) > 1e-6
        expect_number(shown, "after", wanted)
        expect_number(shown, "before", one.probability)
    expect(page).to_have_url(re.compile("edits=h6.2z"))

    click_patch(page, 0, 3, 4, rows=8)
    expect(listed(page, digit, KeyMask(29))).to_be_visible()
    after = {one.label: one for one in predictions(digit.rerun(edits=[HeadAblation(5, 1), KeyMask(29)]), 10)}
    expect_number(page.locator("[data-class='4']"), "after", after["4"].probability)
    click_patch(page, 0, 3, 4, rows=8)
    expect(listed(page, digit, KeyMask(29))).to_have_count(0), "the same patch again switches it on"

    part(page, 5, 1).click()
    expect(page.locator(".st-key-edits button, .st-key-undoing button")).to_have_count(0)
    expect(page).to_have_url(re.compile("edits=none"))


def test_quick_clicks_are_all_heard(app, new_page):
    page = opened(app, new_page, DIGIT)
    for head in range(4):
        part(page, 0, head).click(no_wait_after=True)
    part(page, 2, "attention").click()
    expect(page.locator("[data-testid=board] button[aria-pressed=true]")).to_have_count(5)
    expect(page.get_by_text("Edits (5)")).to_be_visible()
    part(page, 0, "all").click()
    expect(page.locator("[data-testid=board] button[aria-pressed=true]")).to_have_count(7), "attention and MLP, too"
    part(page, 0, "all").click()
    expect(page.locator("[data-testid=board] button[aria-pressed=true]")).to_have_count(5)


@pytest.mark.exhaustive
def test_a_sweep_can_be_stopped(app, new_page):
    page = opened(app, new_page, "image=flower")
    page.locator(".st-key-sweep_what").get_by_text("patches").click()
    settled(page)
    page.get_by_role("button", name="Run the sweep").click()
    expect(page.get_by_role("button", name="Stop")).to_be_visible()
    expect(page.get_by_role("button", name="Run the sweep")).to_have_count(0)
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_text("Stopped; ")).to_be_visible()


@pytest.mark.parametrize("parameters", [DIGIT, f"{DIGIT}&projector=1"])
def test_a_click_on_the_map_of_a_sweep_ablates_the_head(app, new_page, parameters):
    page = opened(app, new_page, parameters)
    page.locator(".st-key-sweep_what").get_by_text("heads").click()
    settled(page)
    start, done = (page.get_by_role("button", name=name) for name in ("Run the sweep", "Numbers (CSV)"))
    expect(start.or_(done)).to_be_visible()
    if start.count():  # otherwise, the server knows the result already
        start.click()
    expect(done).to_be_visible()
    expect(page.get_by_text("Largest changes for layer")).to_be_visible()
    cell = page.locator(".st-key-sweep_chart_heads .points path").nth(7)  # in rows of four
    for edits in ("edits=h2.4z$", "edits=none$"):
        cell.evaluate("node => node.scrollIntoView({ block: 'center' })")
        box = box_at_rest(cell)
        page.mouse.click(box["x"] - 12, box["y"] + box["height"] / 2)  # a cell is wider than its mark
        expect(page).to_have_url(re.compile(edits))
        settled(page)


@pytest.mark.exhaustive
def test_a_sweep_goes_on_while_its_visitor_is_on_another_page(app, new_page):
    page = opened(app, new_page, "image=rocket&size=392")
    page.locator(".st-key-sweep_what").get_by_text("patches").click()
    settled(page)
    page.get_by_role("button", name="Run the sweep").click()
    going_on_or_done = page.get_by_role("button", name="Numbers (CSV)").or_(page.get_by_role("button", name="Stop"))
    expect(going_on_or_done).to_be_visible()
    go_to(page, "Start")
    expect(page.get_by_role("heading", level=1, name="Intervene")).to_have_count(0)
    go_to(page, "Intervene")
    expect(page.locator(LAST)).to_be_visible()
    expect(page.get_by_role("button", name="Run the sweep")).to_have_count(0), "it goes on, or is done"
    expect(going_on_or_done).to_be_visible()
    stop = page.get_by_role("button", name="Stop")
    if stop.count():
        stop.click(no_wait_after=True)


@in_wide_fonts
@pytest.mark.parametrize("parameters", [exhaustive("image=cat"), DIGIT])
def test_what_a_click_does_is_seen_on_a_laptop_without_scrolling(app, new_page, parameters):
    page = opened(app, new_page, f"{parameters}&edits=h1.1z")
    answer = page.locator(".st-key-bench_answer").locator("[data-testid=cosine], tr:nth-child(3)")
    for shown in (page.get_by_test_id("board"), page.get_by_test_id(IMAGE), answer, page.locator(".st-key-edits")):
        box = box_at_rest(shown)
        assert box["y"] >= 0
        assert box["y"] + box["height"] <= 768


@pytest.mark.exhaustive
@in_wide_fonts
def test_nothing_moves_when_edits_are_made(app, new_page):
    page = opened(app, new_page, DIGIT)
    maps = page.get_by_text("Attention of a head")
    before = box_at_rest(part(page, 0, 0)), box_at_rest(maps)
    for layer in range(6):
        part(page, layer, "all").click()
        for head in range(3):
            part(page, layer, head).click()
    expect(page.get_by_text("Edits (30)")).to_be_visible()
    settled(page)
    assert (box_at_rest(part(page, 0, 0)), box_at_rest(maps)) == before


@in_wide_fonts
@pytest.mark.parametrize("width", [1024, exhaustive(1280)])
def test_no_tool_is_cut_away(app, new_page, width):
    page = opened(app, new_page, DIGIT, viewport={"width": width, "height": 768})
    for key, last in (("intervene_patch_tool", "Query"), ("intervene_tool", "Patching")):
        page.wait_for_function(ENDS_WITHIN, arg=[key, last])
    assert_nothing_sticks_out(page)


@in_wide_fonts
def test_nothing_sticks_out_of_a_phone(app, new_page):
    page = opened(app, new_page, f"{DIGIT}&edits=h1.1z,c2.2,p3k", viewport=PHONE, is_mobile=True, has_touch=True)
    board, listed = (box_at_rest(page.locator(f".st-key-bench_{place}")) for place in ("board", "changes"))
    assert listed["y"] >= board["y"] + board["height"], "a longer list does not move the board"
    assert_nothing_sticks_out(page)
