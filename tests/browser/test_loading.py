"""Order of what a first visitor gets: an outline, the image, its attention, and then the rest."""

import re
from dataclasses import asdict

import pytest
from playwright.sync_api import Page, expect
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from tests.browser.explorer_page import ExplorerPage
from tests.browser.layout import pixels_of, settled
from tests.browser.test_kinds import Shown, encoded
from tests.support.random_models import trace_of
from vitviz.notation.view import View, token_layout
from vitviz.ui.app import state
from vitviz.ui.components._shared.binary import header_of
from vitviz.viz.colour import Style

PHONE, WIDE = {"width": 390, "height": 844}, {"width": 1920, "height": 1080}
EXPLORE = "explore?image=cat&layer=10&head=3"


def never(route) -> None:
    """Let a request wait for ever."""


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


def test_the_image_is_sent_first_then_the_layer_that_is_looked_at_and_charts_last(app, new_page):
    page = new_page()
    elements = received(page)
    ExplorerPage(page).open(f"{app}/{EXPLORE}")
    order = [name for name in elements if re.fullmatch(r"frame|explorer|layer \d+|plotly_chart", name)]
    others = [f"layer {layer}" for layer in range(12) if layer != 9]
    assert order == ["frame", "explorer", "layer 9", *others, *["plotly_chart"] * 4]


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
