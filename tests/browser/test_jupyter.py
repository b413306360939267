"""The explorer in a real JupyterLab, whose kernel computes with the shipped model."""

import os
import signal

import pytest
from playwright.sync_api import expect

from tests.browser.explorer_page import ExplorerPage
from tests.browser.layout import PATIENCE, eventually
from tests.support.jupyter_lab import only_kernel, running_lab, write_notebook
from tests.support.programs import module
from vitviz.notation.view import View

pytestmark = pytest.mark.exhaustive
TALL = {"width": 1366, "height": 3600}  # all explorers are in the window
CELLS = (
    "from dataclasses import asdict, replace\n"
    "import vitviz\n"
    "trace = vitviz.load('dinov2-small').trace({photo!r})\n"
    "one = trace.show(layer=11, head=3)\n"
    "one",
    "two = trace.show(layer=4, head=None, query=7)\ntwo",
    "trace.show(layer=11, head=3, layers=[11])",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("lab")


@pytest.fixture(scope="module")
def lab(folder, photo):
    module("jupyterlab")
    write_notebook(folder / "cat.ipynb", [cell.format(photo=str(photo)) for cell in CELLS])
    with running_lab(folder) as url:
        yield url


@pytest.fixture(scope="module")
def explorers(lab, browser):
    """The notebook after all cells have run: the explorer of each."""
    with browser.new_context(viewport=TALL) as context:
        page = context.new_page()
        page.set_default_timeout(1000 * PATIENCE)
        page.goto(f"{lab}/lab/tree/cat.ipynb")
        expect(page.locator("#jp-main-statusbar")).to_contain_text("| Idle")  # the kernel has started
        page.locator(".jp-CodeCell .cm-content").first.click()
        for _ in CELLS:
            page.keyboard.press("Shift+Enter")
        roots = page.get_by_test_id("explorer")
        expect(roots).to_have_count(len(CELLS))
        shown = [ExplorerPage(page, root) for root in roots.all()]
        for one in shown:
            expect(one.status).not_to_be_empty()
        yield shown


@pytest.fixture
def kernel(folder, explorers):
    with only_kernel(folder) as kernel:
        yield kernel


def view_of(kernel, name):
    return View.from_dict(kernel.run("", f"asdict({name}.view)"))


def test_it_shows_the_numbers_of_the_trace(explorers, trace):
    one, two, _ = explorers
    for token in (1, 100, 256):
        one.hover(trace, token)
        assert one.shown == View(11, 3, token)
        one.shows_what_the_library_says(trace)
    two.hover(trace, 40)
    assert two.shown == View(4, None, 40)
    two.shows_what_the_library_says(trace)


def test_pins_reach_the_kernel_and_the_other_explorer_keeps_its_view(explorers, kernel, trace):
    one, two, _ = explorers
    before = view_of(kernel, "two")
    one.click(trace, 120)
    eventually(one.page, lambda: view_of(kernel, "one") == View(11, 3, 120))
    one.head(9, 1).click()
    eventually(one.page, lambda: view_of(kernel, "one") == View(9, 1, 120))
    assert view_of(kernel, "two") == before == View(4, None, 7)
    assert (two.data("layer"), two.data("head"), two.data("pinned")) == ("4", "mean", "7")


def test_keys_reach_the_explorer_and_not_the_notebook(explorers, kernel):
    one, *_ = explorers
    kernel.run("one.view = replace(one.view, layer=5, head=2)")
    expect(one.root).to_have_attribute("data-layer", "5")
    one.image.focus()
    one.press("] . a b")
    eventually(one.page, lambda: view_of(kernel, "one") == View(6, 3, 120))
    expect(one.page.locator(".jp-Notebook .jp-CodeCell")).to_have_count(1 + len(CELLS))  # one follows the last


def test_the_kernel_moves_the_explorer_that_it_sets(explorers, kernel, trace):
    one, two, _ = explorers
    before = one.shown
    kernel.run("two.view = replace(two.view, layer=2, head=5, query=33, direction='to')")
    expect(two.root).to_have_attribute("data-layer", "2")
    two.page.mouse.move(5, 5)
    expect(two.root).to_have_attribute("data-query", "33")
    assert two.shown == View(2, 5, 33, "to")
    two.shows_what_the_library_says(trace)
    assert one.shown == before


def test_hovering_and_pins_go_on_after_the_kernel_was_killed(explorers, kernel, trace):
    one, two, of_one_layer = explorers
    kernel.run("one.view = replace(one.view, layer=11, head=3)")
    expect(one.root).to_have_attribute("data-layer", "11")
    pid = kernel.run("import os", "os.getpid()")
    os.kill(pid, signal.SIGKILL)
    dialog = one.page.locator(".jp-Dialog")
    expect(dialog).to_be_visible()  # "appears to have died"
    dialog.get_by_role("button").last.click()
    expect(dialog).to_have_count(0)
    for explorer in (one, two):
        for token in (1, 200):
            explorer.hover(trace, token)
            explorer.shows_what_the_library_says(trace)
    one.click(trace, 33)
    one.head(0, 2).click()
    expect(one.root).to_have_attribute("data-layer", "0")
    one.shows_what_the_library_says(trace)
    of_one_layer.hover(trace, 200)
    of_one_layer.shows_what_the_library_says(trace)
    of_one_layer.head(0, 2).click()
    expect(of_one_layer.root).to_have_attribute("data-layer", "0")
    of_one_layer.hover(trace, 50)
    expect(of_one_layer.status).to_contain_text("kernel")
    of_one_layer.head(11, 2).click()
    of_one_layer.hover(trace, 100)
    of_one_layer.shows_what_the_library_says(trace)
