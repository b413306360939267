"""Projector mode: one section at a time, by keys and buttons, in type that is large enough."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.layout import assert_nothing_sticks_out, box_at_rest, eventually, settled
from tests.browser.test_accessibility import assert_accessible
from tests.support.exhaustive import exhaustive

PROJECTOR = {"viewport": {"width": 1280, "height": 720}}
PARTS = "[class*='st-key-part_']"
BAR = "[data-testid=projector]"
OTHERS = ("tokens", "explain", "intervene", "compare", "teach")  # pages without sections
SHIPPED = {"digits": "image=digit-4&model=digits", "dinov2-small": "image=cat&model=dinov2-small"}  # queries
# Font size in pixels, as displayed, of each visible text, with the text.
SIZES = """() => {
  const found = [];
  const look = (root) => {
    const texts = document.createTreeWalker(root, NodeFilter.SHOW_TEXT | NodeFilter.SHOW_ELEMENT);
    while (texts.nextNode()) {
      const text = texts.currentNode;
      if (text.shadowRoot) look(text.shadowRoot);
      if (text.nodeType !== Node.TEXT_NODE || !text.data.trim()) continue;
      const around = text.parentElement ?? root.host;
      if (!around.checkVisibility({ opacityProperty: true, visibilityProperty: true })) continue;
      if (around.closest("style, script, .katex, sub, sup, [data-testid=stIconMaterial]")) continue;
      const range = document.createRange();
      range.selectNodeContents(text);
      if (![...range.getClientRects()].some(({ width, height }) => width > 1 && height > 1)) continue;
      const size = parseFloat(getComputedStyle(around).fontSize) * around.currentCSSZoom;
      found.push([size, text.data.trim().slice(0, 60)]);
    }
  };
  look(document.querySelector("[data-testid=stMainBlockContainer]"));
  return found;
}"""


@pytest.fixture
def project(app, new_page):
    """Open a page in projector mode."""

    def open_page(path: str, parameters: str = "image=digit-4&model=digits", **options) -> Page:
        page = new_page(**{**PROJECTOR, **options})
        page.goto(f"{app}/{path}?projector=1&{parameters}")
        expect(page.locator(BAR)).to_be_visible()
        if path in ("sequence", "attention"):
            expect(page.locator(".st-key-part_summary")).to_be_attached()
        settled(page)
        return page

    return open_page


def names(page: Page) -> list[str]:
    """Names of all sections, in order."""
    classes = page.locator(PARTS).evaluate_all("all => all.map((one) => one.className)")
    return [re.search(r"st-key-part_([\w-]+)", one)[1] for one in classes]


def assert_shown(page: Page, name: str) -> None:
    """One section is shown, and no other."""
    expect(page.locator(BAR)).to_have_attribute("data-section", name)
    expect(page.locator(f"{PARTS}:visible")).to_have_count(1)
    expect(page.locator(f".st-key-part_{name}")).to_be_visible()


def test_the_switch_shows_one_section_at_a_time_by_arrows_buttons_and_a_remote(app, new_page):
    page = new_page(**PROJECTOR)
    page.goto(f"{app}/attention?image=digit-4&model=digits")
    expect(page.locator(".st-key-part_summary")).to_be_attached()
    switch = page.get_by_test_id("stSidebar").get_by_text("Projector mode")
    switch.click()
    expect(page.locator(BAR)).to_be_visible()
    eventually(page, lambda: page.get_by_test_id("stSidebar").get_attribute("data-collapsed") == "true")
    expect(switch).to_be_hidden()  # and not reached by the Tab key
    page.wait_for_url("**projector=1*", wait_until="commit")
    settled(page)
    sections = names(page)
    assert len(sections) > 6
    assert_shown(page, sections[0])
    expect(page.locator(BAR).get_by_test_id("projector-section")).to_contain_text(f"1 of {len(sections)}")
    page.keyboard.press("ArrowLeft")
    assert_shown(page, sections[0])
    page.keyboard.press("ArrowRight")
    assert_shown(page, sections[1])
    page.get_by_role("button", name="Next section").click()
    assert_shown(page, sections[2])
    page.get_by_role("button", name="Previous section").click()
    page.keyboard.press("ArrowLeft")
    assert_shown(page, sections[0])
    for _ in range(40):  # a remote scrolls to the end of a section first
        page.keyboard.press("PageDown")
        box_at_rest(page.locator(f"{PARTS}:visible").first)
        if page.locator(BAR).get_attribute("data-section") != sections[0]:
            break
    assert_shown(page, sections[1])
    assert page.get_by_test_id("stMain").evaluate("main => main.scrollTop") == 0
    page.keyboard.press("PageUp")
    assert_shown(page, sections[0])
    page.locator(BAR).get_by_role("button", name="Leave").click()
    expect(page.locator(BAR)).to_have_count(0)
    expect(page.locator(f"{PARTS}:visible")).to_have_count(len(sections))
    page.wait_for_url(lambda url: "projector" not in url, wait_until="commit")


def test_inputs_keep_their_keys_and_a_remote_works_after_a_click_on_a_switch(project):
    page = project("sequence")
    sections = names(page)
    summary = page.locator(".st-key-worksheets input")
    page.get_by_role("button", name="Next section").focus()
    for _ in sections[1:]:
        page.keyboard.press("ArrowRight")
    assert_shown(page, sections[-1])
    summary.click()
    for key in ("ArrowLeft", "PageUp"):
        page.keyboard.press(key)
    assert_shown(page, sections[-1])
    summary.evaluate("input => input.blur()")
    page.keyboard.press("ArrowLeft")
    assert_shown(page, sections[-2])
    image = page.get_by_test_id("patch-picker-image").first
    image.focus()
    page.keyboard.press("ArrowRight")
    assert_shown(page, sections[-2])
    page.keyboard.press("Control+ArrowLeft")
    assert_shown(page, sections[-2])


@pytest.mark.exhaustive
def test_a_remote_works_after_a_slider_was_used(project):
    """A slider keeps the focus, and the arrow keys, but not Page Up and Page Down."""
    page = project("attention", "image=digit-4&model=digits&section=idea")
    sections = names(page)
    assert_shown(page, "idea")
    slider = page.locator(".st-key-part_idea").get_by_role("slider").first
    slider.focus()
    page.keyboard.press("ArrowRight")
    settled(page)
    assert_shown(page, "idea")
    value = slider.get_attribute("aria-valuenow") or slider.input_value()
    for _ in range(40):
        page.keyboard.press("PageDown")
        box_at_rest(page.locator(f"{PARTS}:visible").first)
        if page.locator(BAR).get_attribute("data-section") != "idea":
            break
    assert_shown(page, sections[1])
    page.keyboard.press("ArrowLeft")
    assert_shown(page, "idea")
    assert (slider.get_attribute("aria-valuenow") or slider.input_value()) == value


@pytest.mark.exhaustive
def test_a_reload_and_the_class_link_open_the_shown_section(project):
    page = project("attention")
    sections = names(page)
    for section in sections[1:4]:
        page.keyboard.press("ArrowRight")
        assert_shown(page, section)
    page.wait_for_url(f"**section={sections[3]}*", wait_until="commit")
    page.reload()
    assert_shown(page, sections[3])
    settled(page)
    page.locator(BAR).get_by_role("button", name="Class link").click()
    code = page.get_by_role("dialog").locator(".st-key-class_url code")
    expect(code).to_contain_text(f"section={sections[3]}")
    link = code.inner_text()
    page.goto(link)
    expect(page.locator(".st-key-part_summary")).to_be_attached()
    settled(page)
    expect(page.get_by_test_id("model-map")).to_have_attribute("data-here", sections[3])


FREE = """([card, bar]) => {
  const [one, other] = [card, bar].map((node) => node.getBoundingClientRect());
  const beside = one.right <= other.left || other.right <= one.left;
  const apart = beside || one.bottom <= other.top || other.bottom <= one.top;
  return apart && one.top >= 0 && one.left >= 0 && one.bottom <= innerHeight && one.right <= innerWidth
    && one.height <= 0.7 * innerHeight && card.scrollWidth <= card.clientWidth;
}"""


@pytest.mark.exhaustive
@pytest.mark.parametrize("guide", ["lesson-2", "lesson-8", "lesson-12", "tour-3"])
def test_the_card_of_a_guide_leaves_room_for_the_bar(guide, app, new_page):
    page = new_page(**PROJECTOR)
    page.goto(f"{app}/?guide={guide}&projector=1&model=digits")
    card = page.get_by_test_id("tour")
    expect(card).to_be_visible()
    expect(card).to_have_attribute("data-here", "true")
    expect(page.locator(BAR)).to_be_visible()
    settled(page)
    box_at_rest(card)
    eventually(page, lambda: page.evaluate(FREE, [card.element_handle(), page.locator(BAR).element_handle()]))
    buttons = card.get_by_role("button")
    for place in range(buttons.count()):
        expect(buttons.nth(place)).to_be_in_viewport(ratio=1)
    assert_nothing_sticks_out(page)


@pytest.mark.exhaustive
def test_the_section_stays_while_the_page_runs_and_the_link_keeps_the_mode(project):
    page = project("attention")
    sections = names(page)
    page.keyboard.press("ArrowRight")
    assert_shown(page, sections[1])
    page.get_by_test_id("patch-picker-image").locator("visible=true").first.click(position={"x": 9, "y": 9})
    settled(page)
    assert_shown(page, sections[1])
    page.wait_for_url("**query=1-1*", wait_until="commit")
    assert "projector=1" in page.url
    page.evaluate("document.dispatchEvent(new CustomEvent('vitviz-part', { detail: '.st-key-part_values' }))")
    assert_shown(page, "values")


@pytest.mark.parametrize(
    ("path", "parameters"),
    [
        exhaustive("sequence", SHIPPED["digits"]),
        ("attention", f"{SHIPPED['dinov2-small']}&layer=12&head=4"),
        exhaustive("explore", SHIPPED["dinov2-small"]),
        ("", SHIPPED["digits"]),
        exhaustive("sequence", SHIPPED["dinov2-small"]),
        exhaustive("attention", SHIPPED["digits"]),
        exhaustive("explore", SHIPPED["digits"]),
        exhaustive("", SHIPPED["dinov2-small"]),
        *(exhaustive(path, SHIPPED["digits"]) for path in ("tokens", "explain", "intervene", "compare", "teach")),
    ],
)
def test_type_is_large_enough_and_image_and_section_are_in_sight(path, parameters, project):
    """24 pixels of 1280: capital letters of 1/270 of eight metres on a picture that is 2.4 m wide."""
    page, least = project(path, parameters), 24
    eventually(page, lambda: page.get_by_test_id("stSidebar").get_attribute("data-collapsed") == "true")
    for name in names(page) or [""]:
        if name:
            assert_shown(page, name)
        small = [[size, text] for size, text in page.evaluate(SIZES) if size < least - 0.1]
        assert not small, name
        assert_nothing_sticks_out(page)
        if name:
            assert_in_sight(page, name)
        page.keyboard.press("ArrowRight")


CUT = """(boxes) => boxes.filter((box) => box.checkVisibility() && !box.closest("details:not([open])")
  && box.scrollWidth > box.clientWidth + 1).map((box) => box.innerText)"""
WIDE = ".vv-scroll, .katex-display"  # what nobody can scroll on a projector


def assert_in_sight(page: Page, name: str) -> None:
    """The image and the heading of a section are in the window, and nothing of the section is cut off."""
    section = page.locator(f".st-key-part_{name}")
    expect(page.get_by_test_id("patch-picker-image").locator("visible=true").first).to_be_in_viewport(ratio=0.9)
    expect(section.get_by_role("heading").first).to_be_in_viewport()
    eventually(page, lambda: not section.locator(WIDE).evaluate_all(CUT))


BESIDE = """() => {
  const [image, text] = ["follow", "story"].map((name) => document.querySelector(`.st-key-${name}`));
  return image.getBoundingClientRect().right <= text.getBoundingClientRect().left;
}"""
CHARTS = """(charts) => charts.filter((chart) => chart.checkVisibility()).map((chart) => {
  const inside = (one, other) => one.left >= other.left - 1 && one.right <= other.right + 1
    && one.top >= other.top - 1 && one.bottom <= other.bottom + 1;
  const place = chart.closest(".stPlotlyChart").getBoundingClientRect();
  const section = chart.closest("[class*=st-key-part_], [data-testid=stMainBlockContainer]").getBoundingClientRect();
  const drawn = chart.querySelector(".main-svg").getBoundingClientRect();
  const texts = [...chart.querySelectorAll(".main-svg text")].map((text) => [text.getBoundingClientRect(), text]);
  const labels = [".xtick", ".ytick"].flatMap((axis) => {
    const boxes = [...chart.querySelectorAll(`${axis} text`)].map((text) => text.getBoundingClientRect());
    return boxes.filter((box, at) => boxes.slice(0, at).some((other) => box.left < other.right - 1
      && other.left < box.right - 1 && box.top < other.bottom - 6 && other.top < box.bottom - 6));
  });
  return {
    width: drawn.width / section.width,
    cut: !inside(drawn, place),
    outside: texts.filter(([box]) => box.width && !inside(box, drawn)).map(([, text]) => text.textContent),
    overlapping: labels.length,
    size: Math.min(...texts.map(([, text]) => parseFloat(getComputedStyle(text).fontSize))) / innerWidth,
  };
})"""


@pytest.mark.parametrize(
    ("path", "parameters", "width"),
    [
        ("explore", SHIPPED["dinov2-small"], 1920),
        exhaustive("explore", SHIPPED["digits"], 1280),
        exhaustive("lens", SHIPPED["digits"], 1280),
        exhaustive("attention", SHIPPED["dinov2-small"], 1280),
        exhaustive("tokens", f"{SHIPPED['dinov2-small']}&section=Norms", 1280),
    ],
)
def test_charts_are_whole_and_wide_in_large_type(path, parameters, width, project):
    page = project(path, parameters, viewport={"width": width, "height": 9 * width // 16})
    charts = page.locator(".js-plotly-plot")

    def fit() -> bool:
        return all(
            chart["width"] > 0.8
            and chart["size"] >= 24 / 1280 - 1e-4
            and not (chart["cut"] or chart["outside"] or chart["overlapping"])
            for chart in charts.evaluate_all(CHARTS)
        )

    expect(charts).not_to_have_count(0)
    shown = 0
    for name in names(page) or [""]:
        if name:
            assert_shown(page, name)
            if path == "attention":
                assert page.evaluate(BESIDE), name
        eventually(page, fit)
        shown += len(charts.evaluate_all(CHARTS))
        page.keyboard.press("ArrowRight")
    assert shown


@pytest.mark.exhaustive
@pytest.mark.parametrize("query", SHIPPED.values(), ids=SHIPPED)
def test_it_is_accessible_in_both_themes(project, query):
    assert_accessible(project("attention", query))
