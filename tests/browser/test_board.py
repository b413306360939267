"""The board alone in a plain page: clicks, keys, what it says of each part, and that it fits a phone."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.alone import Alone
from tests.browser.layout import in_all_fonts
from tests.browser.test_patches import THEMES
from vitviz.ui.components.board import component
from vitviz.ui.components.board.payload import Cell, payload

OFF = Cell("zero", "0", "ablated, zero")
WARM = Cell("temperature", "T 0.5", "temperature 0.5")
HOT = Cell("temperature", "T 12.5", "temperature 12.5")
COPIED = Cell("copy", "copy", "copied from the second image")
ALL_FIT = "[...document.querySelectorAll('.cells button, .cells span')].every(b => b.scrollWidth <= b.clientWidth + 1)"


class Board:
    """The component in a page of its own."""

    def __init__(self, page: Page, layers=3, heads=4, edited=None, theme="light", width="640px", **options):
        self.page, self.size = page, (layers, heads)
        body = f":root {{ {THEMES[theme]} }} body {{ margin: 1rem; background: var(--st-background-color) }}"
        head = '<meta name="viewport" content="width=device-width">'
        self.alone = Alone(page, component, f"{body} main {{ max-width: {width} }}", head)
        self.receive(edited, **options)

    def receive(self, edited=None, selected=None, **options) -> None:
        self.alone.receive(payload(*self.size, edited or {}, selected), **options)

    def cell(self, layer: int, column):
        return self.page.locator(f"button[data-layer='{layer}'][data-column='{column}']")

    @property
    def told(self) -> list:
        """The clicks that wait."""
        assert all((one["value"]["layers"], one["value"]["heads"]) == self.size for one in self.alone.messages)
        return [(one["number"], one["value"]["layer"], one["value"]["column"]) for one in self.alone.messages]


def test_each_part_says_what_has_been_done_to_it(new_page):
    board = Board(new_page(), edited={(0, 1): OFF, (2, 3): WARM, (1, "mlp"): OFF}, selected=(2, 3))
    expect(board.cell(0, 1)).to_have_attribute("data-sign", "0")
    expect(board.cell(0, 1)).to_have_attribute("aria-label", "Layer 1, head 2: ablated, zero")
    expect(board.cell(0, 1)).to_have_attribute("aria-pressed", "true")
    expect(board.cell(2, 3)).to_have_attribute("data-sign", "T 0.5")
    expect(board.cell(2, 3)).to_have_attribute("aria-label", "Layer 3, head 4: temperature 0.5; shown below")
    expect(board.cell(1, "mlp")).to_have_attribute("aria-label", "Layer 2, MLP: ablated, zero")
    expect(board.cell(1, "attention")).to_have_attribute("aria-label", "Layer 2, attention: on")
    expect(board.cell(0, "all")).to_have_attribute("aria-label", "L1: all of layer 1")
    expect(board.page.locator("[data-state=on][aria-pressed=true]")).to_have_count(0)
    board.receive({})
    expect(board.page.locator("button[aria-pressed=true]")).to_have_count(0)
    expect(board.cell(0, 1)).to_have_attribute("data-sign", "·")


def test_every_click_is_told_until_it_is_heard(new_page):
    board = Board(new_page(), received=7)
    board.cell(0, 1).click()
    assert board.told == [(8, 0, 1)]
    board.cell(2, "attention").click()
    board.cell(1, "all").click()
    assert board.told == [(8, 0, 1), (9, 2, "attention"), (10, 1, "all")]
    expect(board.page.locator("button.waiting")).to_have_count(3)
    board.receive({(0, 1): OFF}, received=8)
    expect(board.page.locator("button.waiting")).to_have_count(2)
    board.cell(0, 1).click()
    assert board.told == [(9, 2, "attention"), (10, 1, "all"), (11, 0, 1)]
    board.receive({(2, "attention"): OFF}, received=11)
    expect(board.page.locator("button.waiting")).to_have_count(0)


def test_a_board_that_is_made_anew_loses_no_click(new_page):
    board = Board(new_page(), received=7)
    board.cell(0, 1).click()
    board.alone.leave_and_come_back()
    board.receive({}, received=7)
    board.cell(2, 3).click()
    assert board.told == [(9, 2, 3)], "8 is on its way, and a second 8 would not be heard"


def test_the_keyboard_reaches_every_part(new_page):
    board = Board(new_page(), edited={(1, 2): OFF})
    page = board.page
    page.keyboard.press("Tab")
    expect(board.cell(0, 0)).to_be_focused()
    for key in ("ArrowRight", "ArrowRight", "ArrowDown"):
        page.keyboard.press(key)
    expect(board.cell(1, 2)).to_be_focused()
    expect(page.get_by_test_id("board-status")).to_have_text("Layer 2, head 3: ablated, zero")
    page.keyboard.press("Enter")
    page.keyboard.press("End")
    expect(board.cell(1, "mlp")).to_be_focused()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Space")
    page.keyboard.press("Home")
    expect(board.cell(1, "all")).to_be_focused()
    assert board.told == [(1, 1, 2), (2, 1, "mlp")]
    board.receive({}, received=2)
    expect(board.cell(1, "all")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.locator("button:focus")).to_have_count(0), "one stop for the whole board"


def test_the_keyboard_begins_at_the_part_that_is_framed(new_page):
    board = Board(new_page(), selected=(2, 3))
    board.page.keyboard.press("Tab")
    expect(board.cell(2, 3)).to_be_focused()
    board.receive({}, selected=(0, 1))
    expect(board.cell(2, 3)).to_be_focused(), "a visitor who is there is not led away"
    board.page.keyboard.press("Tab")
    expect(board.page.locator("button:focus")).to_have_count(0)
    board.receive({}, selected=(1, "mlp"))
    board.page.keyboard.press("Shift+Tab")
    expect(board.cell(1, "mlp")).to_be_focused()


@in_all_fonts
@pytest.mark.parametrize(("layers", "heads"), [(12, 6), (24, 16)])
def test_a_board_never_sticks_out_of_a_phone(new_page, layers, heads):
    page = new_page(viewport={"width": 390, "height": 844})
    board = Board(page, layers, heads, {(0, 0): WARM, (1, 1): HOT, (1, "mlp"): COPIED}, width="358px")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    if heads == 6:
        edge = board.cell(0, "mlp").bounding_box()
        assert edge["x"] + edge["width"] <= 390, "a small model needs no scrolling"
    assert page.evaluate(ALL_FIT)
    board.receive({(2, 0): HOT, (layers - 1, heads - 1): COPIED})
    assert page.evaluate(ALL_FIT)
    page.set_viewport_size({"width": 1400, "height": 844})
    page.evaluate("document.querySelector('main').style.maxWidth = '1360px'")
    page.wait_for_function(f"{ALL_FIT} && !document.querySelector('button[style*=font]')")  # small only while it must


@pytest.mark.parametrize("theme", THEMES)
def test_states_differ_in_shape_and_sign(new_page, theme):
    kinds = ("zero", "mean", "temperature", "copy")
    board = Board(new_page(), edited={(0, i): Cell(kind, kind[:1], kind) for i, kind in enumerate(kinds)}, theme=theme)
    read = "b => ['borderStyle', 'borderRadius', 'backgroundImage', 'fontWeight'].map((n) => getComputedStyle(b)[n])"
    shapes = [str(board.cell(0, i).evaluate(read)) for i in range(4)] + [str(board.cell(1, 0).evaluate(read))]
    assert len(set(shapes)) == 5
