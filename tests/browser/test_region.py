"""A region on the image, in the app, in a file and on a phone: its mean attention, and the heads ranked by it."""

import re

import numpy as np
import pytest
from playwright.sync_api import expect

import vitviz
from tests.browser.explorer_page import ExplorerPage
from tests.browser.layout import downloaded, go_to
from tests.browser.test_phone import PHONE
from vitviz.analysis.regions import region_attention
from vitviz.notation.view import View
from vitviz.ui.app import state

LINK = "model=digits&image=digit-4&layer=6&head=1"  # whose heads are soon ranked; the file is of the large model


class Drawn(ExplorerPage):
    """Explorer with a region."""

    @property
    def ranking(self):
        return self.page.get_by_test_id("explorer-ranking")

    @property
    def named(self):
        return self.ranking.get_by_role("listitem").get_by_role("button")

    def tool(self, name):
        self.root.get_by_role("button", name=name, exact=True).click()

    def drag(self, trace, *places):
        first, *others = [self.point_of(*place, trace.grid) for place in places]
        self.page.mouse.move(*first)
        self.page.mouse.down()
        for point in others:
            self.page.mouse.move(*point, steps=3)
        self.page.mouse.up()

    def has_region(self, tokens):
        expect(self.root).to_have_attribute("data-pinned", ",".join(map(str, tokens)))

    def ranks_as_the_library_does(self, trace, tokens, relation):
        """The best heads are those of the library, up to the accuracy of the weights in the browser."""
        expect(self.ranking).to_be_visible()
        expect(self.root.locator("[data-ref=cells]")).to_have_attribute("aria-busy", "false")  # all layers are there
        expect(self.root).to_have_attribute("data-prepared", "true")
        values = region_attention(trace, tokens, relation).values
        tolerance = 2e-3 * trace.token_count
        best = [tuple(map(int, one.split(","))) for one in self.data("best").split()]
        sorted_values = np.sort(values, axis=None)[::-1]
        for (layer, head), value in zip(best, sorted_values, strict=False):
            assert abs(values[layer, head] - value) < tolerance
        assert len(best) == 5
        for (layer, head), button in zip(best, self.named.all(), strict=True):
            shown = re.fullmatch(r"L(\d+) H(\d+)\s+(−?[\d.]+)×", button.inner_text())
            assert (int(shown[1]), int(shown[2])) == (layer + 1, head + 1)
            assert abs(float(shown[3].replace("−", "-")) - values[layer, head]) < tolerance


def block(trace, rows, columns):
    return [trace.prefix + row * trace.grid[1] + column for row in range(*rows) for column in range(*columns)]


@pytest.fixture(scope="module")
def digit():
    """The trace of the sample "digit-4", as the app computes it."""
    return vitviz.load("digits").trace(state.samples()["digit-4"])


@pytest.fixture
def drawn(explore):
    return lambda parameters=LINK, **options: Drawn(explore(parameters, **options).page)


def test_a_rectangle_ranks_the_heads_and_is_the_query(drawn, digit, explore, tmp_path):
    page = drawn()
    place = page.box(page.image)
    page.tool("Rectangle")
    page.drag(digit, (6, 4), (3, 7))
    tokens = block(digit, (3, 7), (4, 8))
    page.has_region(tokens)
    assert page.shown == View(5, 0, tuple(tokens))
    page.shows_what_the_library_says(digit)
    assert page.box(page.image) == place, "the explorer moves"
    for relation in ("within", "into", "out"):
        page.ranking.get_by_role("combobox").select_option(relation)
        page.ranks_as_the_library_does(digit, tokens, relation)
    best = page.data("best").split()[0].split(",")
    page.named.first.click()
    expect(page.root).to_have_attribute("data-layer", best[0])
    expect(page.root).to_have_attribute("data-head", best[1])
    page.page.wait_for_url("**query=4..7-5..8*")
    view = View(int(best[0]), int(best[1]), tuple(tokens))
    page.panels_show(digit, view)
    saved = np.load(downloaded(page.page, "Numbers (NPZ)").path())
    np.testing.assert_allclose(saved["weights"], view.weights(digit), rtol=1e-4, atol=1e-6)
    page.page.wait_for_url("**relation=out*")
    downloaded(page.page, "Explorer (HTML)").save_as(tmp_path / "it.html")
    again = Drawn(explore(page.page.url.partition("?")[2]).page)
    again.has_region(tokens)
    again.ranks_as_the_library_does(digit, tokens, "out")
    again.page.goto((tmp_path / "it.html").as_uri())
    again.has_region(tokens)
    again.ranks_as_the_library_does(digit, tokens, "out")


def test_keys_draw_a_rectangle_and_clear_it(drawn, digit):
    page = drawn(f"{LINK}&query=5-5")
    page.image.focus()
    page.press("Shift+ArrowRight Shift+ArrowRight Shift+ArrowDown")
    tokens = block(digit, (4, 6), (4, 7))
    page.has_region(tokens)
    page.ranks_as_the_library_does(digit, tokens, "within")
    page.press("Shift+ArrowUp Shift+ArrowUp Shift+ArrowLeft")
    page.has_region(block(digit, (3, 5), (4, 6)))
    page.press("Escape")
    expect(page.root).to_have_attribute("data-pinned", "")
    expect(page.ranking).to_be_hidden()


def test_a_brush_adds_patches_and_erases_them(drawn, digit):
    page = drawn(f"{LINK}&query=7-7")
    page.tool("Brush")
    page.drag(digit, (2, 2), (2, 6))  # a pinned patch is not part of it
    page.has_region(block(digit, (2, 3), (2, 7)))
    page.drag(digit, (3, 2), (3, 4))
    page.has_region([*block(digit, (2, 3), (2, 7)), *block(digit, (3, 4), (2, 5))])
    page.drag(digit, (2, 4), (2, 7))
    tokens = [*block(digit, (2, 3), (2, 4)), *block(digit, (3, 4), (2, 5))]
    page.has_region(tokens)
    page.ranks_as_the_library_does(digit, tokens, "within")
    page.ranking.get_by_role("button", name="Clear").click()
    expect(page.root).to_have_attribute("data-pinned", "")
    for place in ((1, 1), (5, 5)):
        page.drag(digit, place)
    page.has_region([block(digit, (row, row + 1), (row, row + 1))[0] for row in (1, 5)])
    page.ranking.get_by_role("button", name="Clear").click()
    page.tool("Brush")
    page.click(digit, 40)  # a click pins a patch again


def test_a_finger_draws_on_a_phone(drawn, digit):
    page = drawn(**PHONE)
    page.tool("Rectangle")
    box = page.box(page.image)
    side = box["width"] / digit.grid[1]
    client = page.page.context.new_cdp_session(page.page)

    def touch(kind, *place):
        points = [{"x": box["x"] + side * (c + 0.5), "y": box["y"] + side * (r + 0.5)} for r, c in place]
        client.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    touch("touchStart", (2, 2))
    for row in range(3, 7):
        touch("touchMove", (row, 4))
    touch("touchEnd")
    page.has_region(block(digit, (2, 7), (2, 5)))
    page.ranks_as_the_library_does(digit, block(digit, (2, 7), (2, 5)), "within")


def test_a_file_ranks_the_heads_without_the_app(new_page, tmp_path, trace):
    tokens = block(trace, (3, 7), (4, 9))
    trace.save_html(tmp_path / "it.html", layer=11, head=3, query=tokens)
    page = new_page()
    page.goto((tmp_path / "it.html").as_uri())
    explorer = Drawn(page)
    explorer.has_region(tokens)
    assert explorer.shown == View(11, 3, tuple(tokens))
    explorer.shows_what_the_library_says(trace)
    explorer.ranks_as_the_library_does(trace, tokens, "within")
    explorer.tool("Rectangle")
    explorer.drag(trace, (0, 0), (15, 15))
    explorer.has_region(block(trace, (0, 16), (0, 16)))
    explorer.ranking.get_by_role("combobox").select_option("out")
    expect(explorer.named).to_have_count(0)  # there is no outside


def test_other_pages_show_no_region(app, new_page, digit):
    page = new_page()
    page.goto(f"{app}/explore?{LINK}&query=4..7-5..8")
    explorer = Drawn(page).ready()
    explorer.has_region(block(digit, (3, 7), (4, 8)))
    go_to(page, "Attention")
    page.wait_for_url("**/attention?*")
    expect(page).not_to_have_url(re.compile(r"query=4\.\."))
    go_to(page, "Explore")
    Drawn(page).has_region(block(digit, (3, 7), (4, 8)))
