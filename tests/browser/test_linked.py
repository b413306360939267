"""Linked views of the explorer: one patch in three pictures, with the numbers of the library."""

import re
from dataclasses import asdict

import numpy as np
import pytest
from playwright.sync_api import expect

from tests.browser.explorer_page import ExplorerPage
from tests.browser.layout import assert_asks_nobody, assert_nothing_sticks_out, downloaded, eventually, pixels_of
from tests.browser.test_kinds import Shown, encoded
from tests.browser.test_loading import received
from tests.support.exhaustive import exhaustive
from tests.support.random_models import trace_of
from vitviz.analysis.tokens import directions, pca_of_layers, similarity
from vitviz.notation.view import View, token_layout
from vitviz.viz.colour import Style, paint
from vitviz.viz.explorer.linked import layer_of, token_parts

CAT = "image=cat&layer=10&head=3&query=6-6"
PHONE = {"width": 390, "height": 844}


class Linked:
    """Linked views of an explorer."""

    def __init__(self, explorer: ExplorerPage):
        self.explorer = explorer
        self.switch = explorer.page.get_by_label("Linked views")
        self.root = explorer.page.get_by_test_id("explorer-linked")
        self.similarity, self.components = (
            explorer.page.get_by_test_id(f"explorer-{name}").get_by_role("img") for name in ("similarity", "components")
        )

    def arrived(self, layer):
        expect(self.root).to_have_attribute("data-layer", str(layer))
        return self

    def move_to(self, picture, trace, token, click=False):
        row, column = divmod(token - trace.prefix, trace.grid[1])
        picture.scroll_into_view_if_needed()
        box = self.explorer.box(picture)
        place = [
            box[start] + box[size] * (at + 0.5) / count
            for start, size, at, count in zip("xy", ("width", "height"), (column, row), trace.grid[::-1], strict=True)
        ]
        (self.explorer.page.mouse.click if click else self.explorer.page.mouse.move)(*place)
        expect(self.explorer.root).to_have_attribute("data-query", str(token))

    def tells_the_truth(self, trace, layer, query, tolerance=2e-3):
        """Numbers, and the colours of both pictures, are those of the library for a token or several patches."""
        self.arrived(layer)
        expect(self.explorer.root).to_have_attribute("data-query", ",".join(map(str, np.atleast_1d(query))))
        tokens = trace.tokens(layer)
        one = directions(tokens)[query].mean(axis=0) if np.ndim(query) else tokens[query]
        exact = similarity(np.vstack([one, tokens]), 0)[1:]
        others = np.setdiff1d(np.arange(trace.prefix, trace.token_count), query)
        top = int(self.root.get_attribute("data-top"))
        assert top in others
        assert abs(float(self.root.get_attribute("data-top-similarity")) - exact[others].max()) < tolerance
        assert abs(float(self.root.get_attribute("data-top-similarity")) - exact[top]) < tolerance
        assert abs(float(self.root.get_attribute("data-mean")) - exact[trace.prefix :].mean()) < tolerance
        facts = self.explorer.page.get_by_test_id("explorer-similarity-facts").inner_text().replace("−", "-")
        row, column = divmod(top - trace.prefix, trace.grid[1])
        assert re.search(rf"patch \({row + 1},\s{column + 1}\), (-?[\d.]+)", facts)
        assert abs(float(re.search(r"\), (-?[\d.]+)", facts)[1]) - exact[top]) < tolerance + 5e-4
        wanted = paint((exact[trace.prefix :] + 1) / 2, "raw", signed=True).reshape(*trace.grid, 3)
        drawn = pixels_of(self.similarity.locator("canvas"))[..., :3]
        assert np.abs(drawn.astype(int) - wanted).max() < 16, "transparent pixels lose some bits"
        colours = pca_of_layers(tokens[None, trace.prefix :]).colours(0).reshape(*trace.grid, 3)
        np.testing.assert_array_equal(pixels_of(self.components.locator("canvas"))[..., :3], colours)

    def marked(self, name):
        """Places of a mark in the pictures that have it, relative to their size."""
        return [
            box.evaluate(
                """box => {
                  const [mine, all] = [box, box.parentElement].map((node) => node.getBoundingClientRect());
                  return [(mine.left - all.left) / all.width, (mine.top - all.top) / all.height];
                }"""
            )
            for box in self.explorer.page.locator(f".box.{name}:visible").all()
        ]


def test_one_patch_in_three_pictures(explore, cat):
    page = explore(CAT)
    linked = Linked(page)
    expect(linked.switch).not_to_be_checked()
    expect(linked.root).to_have_count(0)
    linked.switch.check()
    linked.tells_the_truth(cat, 9, 86)
    for picture, token in ((linked.similarity, 40), (linked.components, 200), (page.image, 120)):
        linked.move_to(picture, cat, token)
        linked.tells_the_truth(cat, 9, token)
        page.shows_what_the_library_says(cat)
        places = linked.marked("query")
        assert len(places) == 3
        assert np.ptp(places, axis=0).max() < 0.01
    linked.move_to(linked.components, cat, 77, click=True)
    expect(page.root).to_have_attribute("data-pinned", "77")
    page.at_rest()
    page.page.mouse.move(5, 5)
    assert len(linked.marked("pin")) == 3
    linked.tells_the_truth(cat, 9, 77)
    linked.move_to(linked.similarity, cat, 77)
    page.page.mouse.down()
    page.page.mouse.up()  # a second click unpins it
    expect(page.root).to_have_attribute("data-pinned", "")


def test_hovering_asks_nobody_and_the_link_keeps_the_switch(explore, cat):
    page = explore(f"{CAT}&linked=on")
    linked = Linked(page).arrived(9)
    expect(linked.switch).to_be_checked()

    def hover():
        for token in (5, 90, 170):
            linked.move_to(linked.similarity, cat, token)

    assert_asks_nobody(page.page, hover)
    linked.switch.uncheck()
    expect(linked.root).to_be_hidden()
    eventually(page.page, lambda: "linked" not in page.page.url)


def test_tokens_are_sent_after_the_explorer_for_layers_that_are_looked_at(app, new_page, cat):
    page = ExplorerPage(new_page())
    elements = received(page.page)
    page.open(f"{app}/explore?{CAT}")
    assert not [name for name in elements if name.startswith("tokens")]
    linked = Linked(page)
    linked.switch.check()
    linked.arrived(9)
    page.head(4, 1).click()
    linked.tells_the_truth(cat, 4, 86)
    page.head(9, 1).click()
    linked.tells_the_truth(cat, 9, 86)
    page.at_rest()
    assert {name for name in elements if name.startswith("tokens")} == {"tokens 9", "tokens 4"}
    elements.clear()
    page.page.reload()
    page.ready()
    linked.arrived(9)
    order = [name for name in elements if re.fullmatch(r"frame|explorer|layer \d+|tokens \d+", name)]
    assert order == ["frame", "explorer", "layer 9", "tokens 9"]


@pytest.mark.parametrize("size", [(1280, 800), exhaustive((1366, 768)), (1920, 1080), exhaustive((2560, 1200))])
def test_all_is_seen_at_once_beside_the_small_maps(explore, size):
    wide, tall = size
    page = explore(CAT, viewport={"width": wide, "height": tall})
    page.page.get_by_test_id("stMain").evaluate("main => main.scrollTo(0, 0)")
    linked, before = Linked(page), page.box(page.image)
    linked.switch.check()
    linked.arrived(9)
    page.page.get_by_test_id("stMain").evaluate("main => main.scrollTo(0, 0)")
    after = page.box(page.image)
    assert (after["x"], after["y"]) == (before["x"], before["y"])
    assert 0.75 * before["width"] < after["width"] <= before["width"]
    overview = page.box(page.overview)
    for picture in (linked.similarity, linked.components):
        box = page.box(picture)
        assert box["x"] >= overview["x"] + overview["width"]
        assert box["y"] + box["height"] <= tall
    assert_nothing_sticks_out(page.page)
    linked.switch.uncheck()
    expect(linked.root).to_be_hidden()
    assert page.box(page.image)["width"] == before["width"]


@pytest.mark.parametrize("query", ["6-6", exhaustive("4..7-5..9")])
@pytest.mark.parametrize("projector", [True, exhaustive(False)])
@pytest.mark.parametrize("size", [(1366, 768), exhaustive((1280, 720)), exhaustive((1920, 1080))])
def test_full_screen_shows_all_without_scrolling(explore, size, projector, query):
    wide, tall = size
    link = f"image=cat&layer=10&head=3&query={query}&linked=on" + "&projector=1" * projector
    page = explore(link, viewport={"width": wide, "height": tall})
    linked = Linked(page).arrived(9)
    before = page.box(page.image)
    page.image.focus()
    page.press("f")
    expect(page.root).to_have_class(re.compile(r"\bfull\b"))
    page.at_rest()
    assert page.root.evaluate(
        "root => [root.scrollHeight - root.clientHeight, root.scrollWidth - root.clientWidth]"
    ) == [0, 0]
    facts = page.page.get_by_test_id("explorer-components-facts")
    parts = [page.image, page.legend, page.status, linked.switch, linked.similarity, linked.components, facts]
    boxes = [page.box(part) for part in [*parts, page.root.locator(".maps")]]
    assert all(box["y"] + box["height"] <= tall and box["x"] + box["width"] <= wide for box in boxes)
    assert min(page.box(part)["width"] for part in (page.image, linked.similarity, linked.components)) > wide / 9
    upper, lower = page.box(page.legend), page.box(page.status)
    assert upper["y"] + upper["height"] <= lower["y"], "one text lies over another"
    page.press("f")
    expect(page.root).not_to_have_class(re.compile(r"\bfull\b"))
    eventually(page.page, lambda: page.box(page.image)["width"] == before["width"])


@pytest.mark.parametrize("viewport", [exhaustive({"width": 1280, "height": 800}), PHONE])
def test_nothing_moves_while_pointing(explore, cat, viewport):
    page = explore(f"{CAT}&linked=on", viewport=viewport)
    linked = Linked(page).arrived(9)
    if viewport is PHONE:
        left, right = (page.box(picture) for picture in (linked.similarity, linked.components))
        assert left["y"] == right["y"]
        assert left["x"] + left["width"] < right["x"]
    assert_nothing_sticks_out(page.page)
    below = page.page.get_by_role("button", name="Image (PNG)")
    linked.move_to(linked.similarity, cat, 137)
    before = page.box(below)
    for token in (1, 16, 250):
        linked.move_to(linked.similarity, cat, token)
        assert page.box(below) == before


@pytest.mark.parametrize(("kind", "grid"), [("pooled with prefix", (5, 3)), exhaustive("mean", (4, 6))])
def test_other_kinds_of_models(new_page, kind, grid):
    """With grids that are not square, without class token, for poolings and for regions."""
    trace = trace_of(kind, grid)
    first = trace.prefix
    views = [View(1, 0, first + 4), View(1, 0, (first, first + 1, first + 4))]
    views += [View(3, 0, first + 7)] * kind.startswith("pooled")
    page = Shown(new_page(), trace, views[0])
    linked = Linked(page)
    expect(linked.switch).to_be_hidden()
    for view in views:
        layer = layer_of(trace, view)
        said = {"view": asdict(view), "style": asdict(Style(linked=True)), "places": token_layout(trace)}
        parts = encoded(trace, view) | {"tokens": token_parts(trace, [layer])[0]}
        page.alone.receive(said | {"token_source": ""}, parts=parts)
        linked.tells_the_truth(trace, layer, view.query if isinstance(view.query, int) else list(view.query))
        outline = linked.similarity.locator("path").last
        assert bool(outline.get_attribute("d")) == isinstance(view.query, tuple)


def test_no_number_is_shown_before_the_tokens_have_arrived(new_page):
    trace = trace_of("distilled")
    view, other = View(1, 0, trace.prefix + 3), View(2, 0, trace.prefix + 3)
    page = Shown(new_page(), trace, view)
    linked = Linked(page)
    said = {"style": asdict(Style(linked=True)), "places": token_layout(trace), "token_source": ""}
    parts = encoded(trace, view)
    page.alone.receive(said | {"view": asdict(view)}, parts=parts | {"tokens": token_parts(trace, [1])[0]})
    linked.tells_the_truth(trace, 1, trace.prefix + 3)
    late = token_parts(trace, [2])[0]
    page.alone.receive(said | {"view": asdict(other)}, parts=parts | {"tokens": late}, late=["tokens"])
    expect(page.page.get_by_test_id("explorer-similarity-facts")).to_contain_text("after layer 3")
    linked.arrived("")
    assert not pixels_of(linked.components.locator("canvas")).any()
    page.alone.hold(late)
    linked.tells_the_truth(trace, 2, trace.prefix + 3)
    page.alone.receive(said | {"view": asdict(view)}, parts=parts)
    linked.tells_the_truth(trace, 1, trace.prefix + 3)  # the tokens of an earlier layer are kept ...
    page.alone.receive(said | {"view": asdict(view), "token_source": "of another trace"}, parts=parts)
    linked.arrived("")  # ... but not those of another trace


def test_a_file_has_linked_views_if_it_was_saved_with_tokens(explore, new_page, cat, tmp_path):
    page = explore(f"{CAT}&linked=on")
    Linked(page).arrived(9)
    downloaded(page.page, "Explorer (HTML)").save_as(tmp_path / "linked.html")
    cat.save_html(tmp_path / "plain.html", layer=9)
    taken = ExplorerPage(new_page())
    taken.page.context.set_offline(True)
    taken.page.goto((tmp_path / "linked.html").as_uri())
    linked = Linked(taken)
    linked.tells_the_truth(cat, 9, 86)
    linked.move_to(linked.components, cat, 30)
    taken.head(3, 0).click()
    linked.move_to(linked.similarity, cat, 30)
    linked.tells_the_truth(cat, 3, 30)
    taken.page.goto((tmp_path / "plain.html").as_uri())
    expect(taken.status).not_to_be_empty()
    expect(linked.switch).to_be_hidden()
