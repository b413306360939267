"""Explore at 518 px in a browser: the chosen layer follows the pointer, the others are fetched when they are chosen."""

import re
from contextlib import suppress

import numpy as np
import pytest
from playwright.sync_api import Page, TimeoutError, expect

from tests.browser.explorer_page import ExplorerPage
from tests.browser.layout import choose, downloaded, eventually, pixels_of
from tests.browser.test_explore import drawn_cell, painted
from vitviz.notation.view import View
from vitviz.ui.app import state


@pytest.mark.exhaustive
def test_at_518_px_the_chosen_layer_follows_and_others_can_be_fetched(explore, model):
    trace = model.trace(state.samples()["rocket"], size=518)
    page = explore("image=rocket&size=518&layer=6&head=2&query=20-20")
    assert page.page.get_by_text("the framed layer follows the pointer").is_visible()
    page.hover(trace, 700)
    page.shows_what_the_library_says(trace)
    page.head(10, 4).click()
    page.page.mouse.move(5, 5)
    expect(page.status).not_to_contain_text("fetching")
    page.hover(trace, 500)
    assert page.shown == View(10, 4, 500)
    page.shows_what_the_library_says(trace)


@pytest.mark.exhaustive
@pytest.mark.parametrize("direction", ["from", "to"])
def test_at_518_px_layers_that_do_not_follow_show_the_pinned_token(explore, model, direction):
    trace = model.trace(state.samples()["rocket"], size=518)
    page = explore(f"image=rocket&size=518&layer=6&head=2&query=20-20&direction={direction}")
    token = trace.prefix + 19 * 37 + 19
    page.hover(trace, 700)
    for layer, seen in ((5, 700), (0, token), (11, token)):
        wanted = painted(View(layer, 3, seen, direction).weights(trace), trace, "relative").reshape(37, 37, 3)
        assert np.abs(drawn_cell(page, trace, layer, 3)[..., :3] - wanted).mean() < 1.5, layer


@pytest.mark.exhaustive
def test_no_number_is_shown_before_it_is_known(explore, model):
    trace = model.trace(state.samples()["rocket"], size=518)
    page = explore("image=rocket&size=518&layer=6&head=2&query=20-20")
    page.page.context.set_offline(True)  # the reply will not come
    page.page.evaluate("WebSocket.prototype.send = () => {}")
    page.head(10, 4).click()
    page.hover(trace, 500)
    expect(page.status).to_have_text("Layer 11, head 5, patch (14, 19): fetching this layer …")
    assert page.data("top-weight") == ""
    assert not pixels_of(page.page.locator("canvas.heat")).any()


@pytest.mark.exhaustive
def test_the_keyboard_keeps_its_place_when_a_layer_is_fetched(explore):
    page = explore("image=rocket&size=518&layer=6&head=2")
    page.head(5, 1).focus()
    page.press("ArrowUp")
    page.at_rest()
    expect(page.status).to_contain_text("Layer 5, head 2")
    expect(page.head(4, 1)).to_be_focused()
    page.press("ArrowUp")
    expect(page.root).to_have_attribute("data-layer", "3")


@pytest.mark.exhaustive
def test_the_size_can_be_changed_to_and_fro(explore, model):
    page = explore("image=rocket&size=518&layer=6&head=2&query=20-20")
    for size in (224, 518):
        choose(page.page.get_by_role("combobox", name="Input size"), f"{size} px")
        trace = model.trace(state.samples()["rocket"], size=size)
        expect(page.root).to_have_attribute("data-pinned", "")
        page.panels_show(trace, View(5, 1))
        page.hover(trace, trace.token_count - 1)
        page.shows_what_the_library_says(trace)


def add_layer(page: Page, layer: str) -> None:
    """Choose one more layer of the file. The list may close meanwhile; a click beside it closes the popover, too."""
    popover, box = page.get_by_role("button", name="Explorer (HTML)"), page.get_by_test_id("stMultiSelect")

    def is_chosen() -> bool:
        with suppress(TimeoutError):
            if not box.is_visible():
                popover.click(timeout=5000)
            elif not box.get_by_text(layer, exact=True).count():
                box.get_by_role("combobox").click(timeout=5000)
                page.get_by_role("option", name=layer, exact=True).click(timeout=5000)
        return bool(box.get_by_text(layer, exact=True).count())

    eventually(page, is_chosen)


def test_layers_of_a_file_are_chosen_and_its_size_follows(explore, new_page, model, tmp_path):
    trace = model.trace(state.samples()["rocket"], size=518)
    page = explore("image=rocket&size=518&layer=6&head=2&query=20-20")
    page.page.get_by_role("button", name="Explorer (HTML)").click()
    size = page.page.get_by_text(re.compile(r"^About [\d.]+\sMB$"))
    files = []
    for more in ([], ["10", "11"]):
        for layer in more:
            add_layer(page.page, layer)
        page.at_rest()
        eventually(page.page, lambda: len(files) == 0 or size.inner_text() != files[0][1])
        said = size.inner_text()
        file = tmp_path / f"{len(files)}.html"
        downloaded(page.page, "Download").save_as(file)
        files.append((file, said))
        assert file.stat().st_size / 1e6 == pytest.approx(float(said.split()[1]), rel=0.03)
    taken = ExplorerPage(new_page())
    taken.page.goto(files[1][0].as_uri())
    for layer in (5, 9, 10):
        taken.head(layer, 1).click()
        taken.hover(trace, 700)
        taken.shows_what_the_library_says(trace)
