"""Accessibility: axe-core finds nothing on any page, in either theme."""

import json
from importlib.resources import files
from itertools import cycle, product

import pytest
from playwright.sync_api import Page, expect

from tests.browser.layout import choose, settled
from tests.support.app_pages import addresses
from tests.support.exhaustive import exhaustive

AXE = files("axe_playwright_python").joinpath("axe.min.js").read_text("utf-8")
THEMES = ("light", "dark")
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
PAGES = addresses(intervene="edits=h3.2z,p1-12k")
EVERY_DAY = set(zip(PAGES, cycle(THEMES), strict=False))  # each page in one theme
OPTIONS = {
    "resultTypes": ["violations"],
    "rules": {
        # off unless asked for
        "label-content-name-mismatch": {"enabled": True},
        # Streamlit's drop zone for files is a section with both a role and a name; nothing is lost by that, and no
        # option changes it
        "presentation-role-conflict": {"enabled": False},
    },
}
RUN = f"""async () => {{
  const {{ violations }} = await axe.run(document, {json.dumps(OPTIONS)});
  return violations.flatMap((rule) => rule.nodes.map((node) =>
    [rule.impact, rule.id, node.html.slice(0, 300), node.failureSummary].join(" | ")));
}}"""
TRIES = 4  # colours fade from one theme to the other, and fonts arrive: what stays is a fault


def violations(page: Page) -> list[str]:
    """Violations that axe finds and goes on finding, serious or not."""
    for _ in range(TRIES):
        settled(page)
        found = page.evaluate(RUN)
        if not found:
            return []
        page.wait_for_timeout(300)
    return found


def assert_accessible(page: Page, themes: tuple[str, ...] = THEMES, on_app: bool = True) -> None:
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE)
    for theme in themes:
        page.emulate_media(color_scheme=theme)
        if on_app:
            expect(page.get_by_test_id("stApp")).to_have_css("color-scheme", theme)
        assert violations(page) == [], theme


def opened(page: Page, address: str) -> Page:
    page.goto(address)
    expect(page.get_by_test_id("stMain")).to_be_visible()
    expect(page.get_by_test_id("stSkeleton")).to_have_count(0)
    settled(page)
    return page


def answer(page: Page, *predictions: str) -> None:
    """Give the first answer to predictions, so that the pages show what they hide until then."""
    for name in predictions:
        hidden = page.locator(f".st-key-predict_{name}").get_by_role("radio")
        hidden.first.click()
        settled(page)
        expect(hidden.first).to_be_checked()


def open_all(page: Page) -> None:
    """Open all expanders, one after the other: some run a part of the page."""
    closed = page.get_by_test_id("stMain").locator("[data-testid=stExpander] details:not([open]) > summary")
    for _ in range(200):
        settled(page)
        if not closed.count():
            return
        closed.first.click()
    raise AssertionError("Some expanders do not open.")


@pytest.mark.parametrize(
    ("address", "theme"),
    [case if case in EVERY_DAY else exhaustive(*case) for case in product(PAGES, THEMES)],
)
def test_pages_are_accessible(app, new_page, address, theme):
    assert_accessible(opened(new_page(), f"{app}/{address}"), (theme,))


@pytest.mark.exhaustive
def test_what_opens_on_request_is_accessible(app, new_page):
    """Sections, what is behind switches, notices, the tour's card, and what lies over the page."""
    page = opened(new_page(), f"{app}/sequence?tour=2&image=nobody")
    page.locator(".st-key-all_positions").get_by_text("Compare", exact=False).click()
    expect(page.locator(".st-key-part_positions").get_by_test_id("stImage")).to_have_count(1)
    answer(page, "shuffle")
    expect(page.locator(".st-key-part_positions").get_by_test_id("stImage")).to_have_count(2)
    page.locator(".st-key-what_if_patch").get_by_role("radio").first.click()  # another size than the model's
    answer(page, "tokens")
    open_all(page)
    assert_accessible(page)
    page = opened(new_page(), f"{app}/attention?model=digits&image=digit-4")
    answer(page, "strongest", "temperature")
    open_all(page)
    assert_accessible(page)
    page = opened(new_page(), f"{app}/tokens")
    for section in ("Similarity", "Norms", "Points", "Places"):
        page.get_by_role("radio", name=section).click()
        assert_accessible(page, ("light",))
    page = opened(new_page(), f"{app}/explain")
    page.get_by_role("button", name="Enlarge").first.click()
    expect(page.locator(".st-key-explain_closer")).to_be_visible()
    assert_accessible(page, ("light",))
    choose(page.get_by_test_id("stSidebar").get_by_role("combobox").first, "More models", exact=False)
    expect(page.get_by_role("dialog")).to_be_visible()
    assert_accessible(page)


@pytest.mark.parametrize(
    "address",
    [
        exhaustive("attention?model=digits"),
        exhaustive("lens?model=digits"),
        exhaustive("intervene?model=digits"),
    ],
)
def test_pages_of_a_classifier_are_accessible(app, new_page, address):
    assert_accessible(opened(new_page(), f"{app}/{address}"), ("dark",))


@pytest.mark.exhaustive
def test_phones_are_served_alike(app, new_page):
    page = opened(new_page(**PHONE), f"{app}/explore?model=digits")
    assert_accessible(page)
    page.get_by_role("button", name="Menu").tap()
    expect(page.get_by_test_id("stSidebar").get_by_role("link", name="Lens")).to_be_in_viewport()
    assert_accessible(page, ("light",))
    assert_accessible(opened(page, f"{app}/attention"), ("light",))
