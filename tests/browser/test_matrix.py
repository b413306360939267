"""The sequence as a matrix in a browser: rows light up their patches, and the page follows the chosen one."""

import re

import pytest
from playwright.sync_api import Page, expect

import vitviz
from tests.browser.explanations import expect_chosen_patch, expect_numbers, opener
from tests.browser.layout import (
    assert_asks_nobody,
    assert_nothing_sticks_out,
    box_at_rest,
    eventually,
    in_wide_fonts,
    settled,
)
from tests.browser.test_layout import PHONE
from vitviz.ui.app import state
from vitviz.ui.pages.lesson.prediction import SKIPPED
from vitviz.ui.widgets.strips import numbers
from vitviz.ui.widgets.sums import round_consistently
from vitviz.walkthrough import sequence

MATRIX, ROWS, PICTURE, STATUS = (f"sequence-matrix{part}" for part in ("", "-rows", "-picture", "-status"))


@pytest.fixture
def story(app, new_page):
    return opener(app, new_page, "sequence", ".st-key-part_what_if h2", 2)


@pytest.fixture(scope="module")
def trace():
    return vitviz.load("dinov2-small").trace(state.samples()["cat"], size=224, record=("embed.*",))


def row_at(page: Page, row: int, rows: int = 257) -> dict[str, float]:
    """Position of a row in the matrix."""
    matrix = page.get_by_test_id(ROWS)
    settled(page)
    matrix.scroll_into_view_if_needed()
    return {"x": 40, "y": (row + 0.5) * box_at_rest(matrix)["height"] / rows}


def patch_at(page: Page, row: int, column: int, side: int = 16) -> dict[str, float]:
    """Position of a patch in the small picture."""
    picture = page.get_by_test_id(PICTURE)
    settled(page)
    picture.scroll_into_view_if_needed()
    box = box_at_rest(picture)
    return {"x": (column + 0.5) * box["width"] / side, "y": (row + 0.5) * box["height"] / side}


def assert_at(page: Page, row: int, chosen: int, patch: str) -> None:
    """Check which row is lit up, and that the status line names its patch, or the class token."""
    matrix = page.get_by_test_id(MATRIX)
    expect(matrix).to_have_attribute("data-row", str(row))
    expect(matrix).to_have_attribute("data-chosen", str(chosen))
    expect(matrix).to_have_attribute("data-patch", patch)
    status = page.get_by_test_id(STATUS)
    if patch:
        expect_numbers(status, row + 1, 257, *(int(place) + 1 for place in patch.split(",")), row)
    else:
        expect_numbers(status, row + 1, 257)
        expect(status).to_contain_text("class token")


def expect_row(page: Page, trace: vitviz.Trace, token: int, *patch: int) -> None:
    """Wait until the page writes out a row of the matrix, with its numbers."""
    text = page.locator(".st-key-part_sequence p").filter(has_text=numbers(sequence.embedded(trace, token).row, 3))
    beginning = re.compile(r"^\D*" + r"\D+".join(map(str, (token + 1, *patch))) + r"\b")
    expect(text.filter(has_text=beginning)).to_be_visible()


@pytest.mark.exhaustive
def test_a_row_lights_up_its_patch_and_asks_nobody(story):
    page = story("image=cat")
    settled(page)

    def point() -> None:
        page.get_by_test_id(ROWS).hover(position=row_at(page, 37))
        assert_at(page, 37, 137, "2,4")
        lit, picture = box_at_rest(page.locator(".box.lit")), box_at_rest(page.get_by_test_id(PICTURE))
        assert (lit["x"] - picture["x"]) / picture["width"] == pytest.approx(4 / 16, abs=0.005)
        assert (lit["y"] - picture["y"]) / picture["height"] == pytest.approx(2 / 16, abs=0.005)
        page.get_by_test_id(ROWS).hover(position=row_at(page, 0))
        assert_at(page, 0, 137, "")
        page.get_by_test_id(PICTURE).hover(position=patch_at(page, 15, 15))
        assert_at(page, 256, 137, "15,15")
        page.mouse.move(2, 2)
        assert_at(page, 137, 137, "8,8")

    assert_asks_nobody(page, point)


def test_a_click_makes_the_page_follow_and_its_numbers_are_the_librarys(story, trace):
    page = story("image=cat")
    page.locator(".st-key-part_sequence details summary").first.click()  # the formulas in numbers
    settled(page)
    page.get_by_test_id(ROWS).click(position=row_at(page, 37))
    expect_chosen_patch(page, 3, 5)
    row = sequence.embedded(trace, 37)
    expect_row(page, trace, 37, 3, 5)
    parts, total = round_consistently([float(row.vector[0]), float(row.position[0])], float(row.row[0]))
    formula = page.locator(".st-key-part_sequence [data-testid=stMarkdownContainer] .katex annotation").nth(1)
    for text in (*parts, total):
        expect(formula).to_contain_text(text.replace("−", "-"))
    assert "✗" not in page.inner_text("body")
    page.get_by_test_id(ROWS).click(position=row_at(page, 0))
    expect_row(page, trace, 0)
    expect(page.locator(".st-key-no_pixels_splitting")).to_be_visible()
    page.get_by_test_id(PICTURE).click(position=patch_at(page, 7, 1))
    expect_chosen_patch(page, 8, 2)
    expect_row(page, trace, 114, 8, 2)


def test_the_keys_move_along_the_rows_and_choose_one(story):
    page = story("image=cat")
    rows = page.get_by_test_id(ROWS)
    rows.focus()
    rows.press("ArrowDown")
    rows.press("ArrowDown")
    rows.press("ArrowUp")
    assert_at(page, 138, 137, "8,9")
    rows.press("Home")
    rows.press("ArrowUp")
    assert_at(page, 0, 137, "")
    rows.press("End")
    rows.press("Enter")
    expect_chosen_patch(page, 16, 16)
    assert_at(page, 256, 256, "15,15")


@pytest.mark.exhaustive
def test_the_axes_say_what_they_count_and_what_that_means(story):
    page = story("model=digits&image=digit-4")
    matrix = page.get_by_test_id(MATRIX)
    expect(matrix.locator(".across")).to_contain_text("D = 96")
    expect(matrix.locator(".down")).to_contain_text("N + 1 = 65")
    symbol = matrix.locator(".across .vv-symbol")
    read = "node => getComputedStyle(node, '::after').visibility"
    assert symbol.evaluate(read) == "hidden"
    symbol.hover()
    eventually(page, lambda: symbol.evaluate(read) == "visible")


@in_wide_fonts
def test_a_finger_chooses_and_a_phone_stacks(story):
    page = story("image=cat", viewport=PHONE, is_mobile=True, has_touch=True)
    page.get_by_test_id(ROWS).tap(position=row_at(page, 37))
    expect_chosen_patch(page, 3, 5)
    picture, rows = (box_at_rest(page.get_by_test_id(part)) for part in (PICTURE, ROWS))
    assert rows["y"] > picture["y"] + picture["height"]
    assert_nothing_sticks_out(page)


@pytest.mark.exhaustive
def test_another_patch_size_runs_only_its_own_part(story):
    page = story("image=cat")
    sizes = page.locator(".st-key-part_what_if")
    sizes.get_by_role("radio", name="32").click()
    sizes.get_by_role("radio", name=SKIPPED).click()
    expect(sizes.locator("p").filter(has_text=re.compile(r"\b32\b.*\b7\D+\b7\b"))).to_be_visible()
    expect(sizes.locator("tr", has=page.locator(".vv-what-if"))).to_contain_text("3,072")
    expect_chosen_patch(page, 9, 9)


@pytest.mark.exhaustive
def test_a_matrix_that_scrolls_shows_the_row_of_the_patch(story):
    page = story("image=cat&size=518")
    scroll, frame = page.locator("[data-ref=scroll]"), page.locator("[data-testid=sequence-matrix] .row.chosen")

    def inside() -> bool:
        settled(page)
        row, box = box_at_rest(frame), box_at_rest(scroll)
        return box["y"] <= row["y"] <= box["y"] + box["height"]

    assert scroll.evaluate("node => node.scrollHeight > 1.5 * node.clientHeight")
    assert inside()
    for column in (0, 36):
        page.get_by_test_id(PICTURE).click(position=patch_at(page, column, column, 37))
        expect_chosen_patch(page, column + 1, column + 1, 37)
        assert inside()
