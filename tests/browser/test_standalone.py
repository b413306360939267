"""The explorer in one file, opened from the disk without a network."""

import pytest
from playwright.sync_api import expect

from tests.browser.explorer_page import ExplorerPage
from vitviz.notation.view import View
from vitviz.viz.browser.themes import THEMES


@pytest.fixture
def opened(new_page, tmp_path):
    """Function that saves a trace and opens the file."""

    def open_file(trace, colours=None, **options):
        trace.save_html(tmp_path / "it.html", **options)
        page = new_page(**({} if colours is None else {"color_scheme": colours}))
        page.context.set_offline(True)
        page.requested = []
        page.on("request", lambda request: page.requested.append(request.url))
        page.goto((tmp_path / "it.html").as_uri())
        explorer = ExplorerPage(page)
        expect(explorer.status).not_to_be_empty()
        return explorer

    return open_file


def test_it_shows_the_numbers_of_the_trace_without_a_network(opened, trace):
    explorer = opened(trace, layer=11, head=3)
    for token in (1, 100, 256):
        explorer.hover(trace, token)
        assert explorer.shown == View(11, 3, token)
        explorer.shows_what_the_library_says(trace)
    explorer.click(trace, 120)
    explorer.press("[ [ .")
    expect(explorer.root).to_have_attribute("data-layer", "9")
    explorer.page.get_by_role("radio", name="Attended to by").click()
    explorer.page.locator("[data-ref=scale]").select_option("uniform")
    expect(explorer.root).to_have_attribute("data-scale", "uniform")
    assert explorer.shown == View(9, 4, 120, "to", "uniform")
    explorer.shows_what_the_library_says(trace)
    explorer.head(0, 2).click()
    expect(explorer.root).to_have_attribute("data-layer", "0")
    explorer.shows_what_the_library_says(trace)
    outside = [url for url in explorer.page.requested if not url.startswith(("file:", "blob:"))]
    assert not outside


def test_layers_that_are_not_in_the_file_say_so(opened, small_trace):
    explorer = opened(small_trace, layer=1, head=0, query=7, layers=[1])
    explorer.hover(small_trace, 20)
    explorer.shows_what_the_library_says(small_trace)
    explorer.head(2, 1).click()
    expect(explorer.root).to_have_attribute("data-layer", "2")
    assert explorer.shown == View(2, 1, 7)
    explorer.shows_what_the_library_says(small_trace)  # of the token that was selected when it was saved
    explorer.hover(small_trace, 20)
    expect(explorer.root).to_have_attribute("data-top-weight", "")
    assert "layer 2" in explorer.status.inner_text()


@pytest.mark.parametrize("system", ["light", "dark"])
def test_colours_follow_the_system_until_one_is_chosen(opened, small_trace, system):
    explorer = opened(small_trace, system)
    colour = "getComputedStyle(document.body).backgroundColor"
    for chosen in ("", "light", "dark"):
        explorer.page.get_by_label("Colours").select_option(chosen)
        wanted = THEMES[chosen or system]["background-color"].removeprefix("#")
        red, green, blue = (int(wanted[at : at + 2], 16) for at in (0, 2, 4))
        assert explorer.page.evaluate(colour) == f"rgb({red}, {green}, {blue})"


def test_in_a_frame_of_a_notebook(new_page, small_trace):
    page = new_page()
    page.set_content(small_trace._repr_html_())
    frame = page.frame_locator("iframe")
    expect(frame.get_by_test_id("explorer-status")).not_to_be_empty()
    frame.get_by_test_id("explorer-image").hover(position={"x": 5, "y": 5})
    root = frame.get_by_test_id("explorer")
    expect(root).to_have_attribute("data-query", str(small_trace.prefix))
    layer, head = (int(root.get_attribute(f"data-{name}")) for name in ("layer", "head"))
    top = int(root.get_attribute("data-top-key"))
    weight = small_trace.attention(layer, head, small_trace.prefix)[top]
    assert abs(float(root.get_attribute("data-top-weight")) - weight) < 5e-3
    assert page.locator("iframe").get_attribute("sandbox") == "allow-scripts"
