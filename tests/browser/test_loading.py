"""Order of what a first visitor gets: an outline, the image, its attention, and then the rest."""

import re
from dataclasses import asdict

import pytest
from playwright.sync_api import APIResponse, Page, Route, expect
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from tests.browser.explorer_page import ExplorerPage
from tests.browser.layout import pixels_of, settled
from tests.browser.test_kinds import Shown, encoded
from tests.support.random_models import trace_of
from vitviz.notation.view import View, token_layout
from vitviz.ui.app import state
from vitviz.viz.browser.binary import header_of
from vitviz.viz.colour import Style

PHONE, WIDE = {"width": 390, "height": 844}, {"width": 1920, "height": 1080}
PARTS = "**/media/*.bin"
EXPLORE = "explore?image=cat&layer=10&head=3"


def never(route) -> None:
    """Let a request wait for ever."""


def answer_to(route: Route) -> tuple[str, tuple[Route, APIResponse]]:
    """Ask the server for a part. Return its name, and what `give` needs."""
    answer = route.fetch()
    return f"layer {header_of(answer.body())['layer']}", (route, answer)


def give(asked: tuple[Route, APIResponse]) -> None:
    route, answer = asked
    route.fulfill(response=answer)


class Fetched:
    """Parts that a page fetches, which pass."""

    def __init__(self, page: Page):
        self.requests, self.names = [], {}
        page.route(PARTS, self._pass)

    def _pass(self, route: Route) -> None:
        self.requests.append(route.request.url)
        name, asked = answer_to(route)
        self.names[route.request.url] = name
        give(asked)

    @property
    def parts(self) -> list[str]:
        """Names of the parts, in the order of the requests."""
        return [self.names[url] for url in self.requests]


def received(page: Page) -> list[str]:
    """The elements that Streamlit sends, in order; the list goes on growing."""
    elements = []

    def note(payload: str | bytes) -> None:
        delta = ForwardMsg.FromString(payload).delta if isinstance(payload, bytes) else ForwardMsg().delta
        if delta.WhichOneof("type") == "new_element":
            elements.append(named(delta.new_element))

    page.on("websocket", lambda socket: socket.on("framereceived", note))
    return elements


def named(element) -> str:
    kind = element.WhichOneof("type")
    if kind != "bidi_component":
        return kind
    component = element.bidi_component
    name = component.component_name.rpartition(".")[2]
    if name != "payload_store":
        return name
    header = header_of(component.bytes)
    if "tokens_of" in header:
        return f"tokens {header['tokens_of']}"
    return f"layer {header['layer']}" if "layer" in header else "frame" if "picture_id" in header else "of another"


@pytest.mark.parametrize("colour_scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [PHONE, WIDE])
def test_an_outline_is_there_before_any_script(app, new_page, viewport, colour_scheme):
    page = new_page(viewport=viewport, color_scheme=colour_scheme, java_script_enabled=False)
    page.goto(f"{app}/{EXPLORE}")
    outline = page.get_by_test_id("outline")
    expect(outline).to_be_visible()
    expect(outline).to_have_css(
        "background-color", "rgb(255, 255, 255)" if colour_scheme == "light" else "rgb(18, 16, 22)"
    )
    expect(page).to_have_title("vitviz")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.exhaustive
def test_the_page_takes_the_place_of_its_outline(explore):
    page = explore("image=cat")
    expect(page.page.get_by_test_id("outline")).to_be_hidden()


def test_the_image_is_sent_first_then_the_layer_that_is_looked_at_and_others_are_fetched(app, new_page):
    page = new_page()
    elements, fetched = received(page), Fetched(page)
    ExplorerPage(page).open(f"{app}/{EXPLORE}")
    order = [name for name in elements if re.fullmatch(r"frame|explorer|layer \d+|plotly_chart", name)]
    assert order == ["frame", "explorer", "layer 9", *["plotly_chart"] * 4]
    assert fetched.parts == [f"layer {layer}" for layer in range(12) if layer != 9]


def test_no_part_comes_twice(app, new_page, model):
    """Also not after pins, choices of other layers, and another page."""
    cat = model.trace(state.samples()["cat"])
    page = ExplorerPage(new_page())
    elements, fetched = received(page.page), Fetched(page.page)
    page.page.goto(f"{app}/{EXPLORE}")
    expect(page.root).to_have_attribute("data-top-key", re.compile(r"\d"))
    page.head(2, 1).click()
    page.ready()
    page.click(cat, 100)
    page.at_rest()
    page.shows_what_the_library_says(cat)
    page.page.get_by_role("link", name="Tokens").first.click()
    settled(page.page)
    page.page.get_by_role("link", name="Explore").first.click()
    page.ready()
    page.head(5, 1).click()
    page.at_rest()
    page.shows_what_the_library_says(cat)
    parts = [name for name in elements if re.fullmatch(r"frame|layer \d+", name)]
    assert sorted([*parts, *fetched.parts]) == sorted(["frame", *(f"layer {layer}" for layer in range(12))])


def test_hovering_answers_while_other_layers_are_on_their_way_and_a_chosen_one_overtakes_them(app, new_page, model):
    cat = model.trace(state.samples()["cat"])
    page, held = ExplorerPage(new_page()), {}
    page.page.route(PARTS, lambda route: held.setdefault(*answer_to(route)))
    page.page.goto(f"{app}/{EXPLORE}")
    expect(page.root).to_have_attribute("data-top-key", re.compile(r"\d"))
    page.hover(cat, 100)
    page.shows_what_the_library_says(cat)
    assert 9 not in (int(name.split()[1]) for name in held)
    page.head(6, 1).click()
    expect(page.status).to_contain_text("fetching this layer")
    settled(page.page)
    page.page.wait_for_timeout(300)
    assert list(held)[-1] == "layer 6"
    assert len(held) <= 3, "the others wait"
    give(held["layer 6"])
    page.hover(cat, 100)
    expect(page.status).not_to_contain_text("fetching")
    page.shows_what_the_library_says(cat)
    given = {"layer 6"}
    while len(given) < 11:
        page.page.wait_for_timeout(50)
        for name in held.keys() - given:
            give(held[name])
            given.add(name)
    page.at_rest()
    for layer in (0, 11):
        page.head(layer, 2).click()
        page.shows_what_the_library_says(cat)


def test_hovering_answers_though_the_charts_do_not_come(app, new_page, model):
    cat = model.trace(state.samples()["cat"])
    page = ExplorerPage(new_page())
    page.page.route("**/PlotlyChart.*", never)
    page.page.goto(f"{app}/{EXPLORE}")
    expect(page.root).to_have_attribute("data-top-key", re.compile(r"\d"))
    page.hover(cat, 100)
    page.shows_what_the_library_says(cat)
    settled(page.page)
    expect(page.page.locator(".js-plotly-plot")).to_have_count(0)


def test_scripts_come_compressed_and_once(app, new_page):
    page, answers = new_page(), []
    page.on("response", lambda answer: answers.append(answer))
    ExplorerPage(page).open(f"{app}/{EXPLORE}")
    scripts = [answer for answer in answers if re.search(r"/static/.*\.(js|css)$", answer.url)]
    assert len(scripts) > 50
    small = 500  # bytes, for which it is not worth it
    for script in scripts:
        encoding = script.headers.get("content-encoding")
        assert encoding == "gzip" or int(script.headers["content-length"]) < small, script.url
    urls = [script.url for script in scripts]
    assert len(set(urls)) == len(urls), "what is asked for early is not asked for again"


@pytest.mark.parametrize("direction", ["from", "to"])
def test_no_number_of_a_layer_is_shown_before_it_is_known(new_page, direction):
    """As with large images, of which one layer is sent at a time."""
    trace = trace_of("relative")
    page = Shown(new_page(), trace, View(1, 0, trace.prefix + 8, direction), layers=(1,))
    page.head(2, 1).click()
    page.hover(trace, trace.prefix + 3)
    view = View(2, 1, trace.prefix + 3, direction)
    expect(page.status).to_have_text(f"{view.label(trace)}: fetching this layer …")
    assert page.data("top-weight") == ""
    assert not pixels_of(page.page.locator("canvas.heat")).any()
    told = page.alone.messages[-1]["number"]
    page.receive(trace, View(2, 1, trace.prefix + 8, direction), layers=(2,), received=told)
    page.hover(trace, trace.prefix + 3)
    page.tells_the_truth()


def test_what_has_arrived_is_shown_and_nothing_else_is(new_page):
    page = Shown(new_page(), trace_of("relative"), View(1, 0))
    trace, view = trace_of("relative", (5, 3)), View(2, 1)
    page.trace, parts = trace, encoded(trace, view)
    said = {"view": asdict(view), "style": asdict(Style()), "places": token_layout(trace)}
    page.alone.receive(said, parts=parts, late=[name for name in parts if name != "frame"])
    expect(page.root).to_have_attribute("data-layer", "2")
    page.hover(trace, trace.prefix + 7)
    expect(page.status).to_contain_text("fetching this layer")
    assert page.data("top-weight") == ""
    page.alone.hold(parts["layer 2"])
    expect(page.status).not_to_contain_text("fetching")
    page.tells_the_truth()
    assert page.cell(2, 0).any()
    assert not page.cell(0, 0).any()
    assert not page.cell(1, 0).any()
    page.alone.hold(parts["layer 0"], parts["layer 1"])
    page.head(0, 2).click()
    page.hover(trace, trace.prefix + 3)
    page.tells_the_truth()
