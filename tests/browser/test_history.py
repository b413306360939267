"""Back and Forward go from page to page, whatever was looked at on one."""

from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.browser.explorer_page import ExplorerPage
from tests.browser.layout import eventually, go_to, settled
from vitviz.notation.view import View


def entries(page: Page) -> int:
    return page.evaluate("history.length")


def at(page: Page, path: str) -> None:
    eventually(page, lambda: urlsplit(page.url).path == path)
    settled(page)


def test_back_leaves_the_explorer_and_forward_returns_to_the_last_view(app, new_page):
    page = ExplorerPage(new_page())
    page.page.goto(f"{app}/?model=digits")
    expect(page.page.get_by_test_id("gallery").first).to_be_visible()
    settled(page.page)
    before = entries(page.page)
    go_to(page.page, "Explore")
    page.ready()
    for layer, head in ((1, 1), (4, 2), (5, 0), (2, 2), (3, 3)):
        page.head(layer, head).click()
        eventually(page.page, lambda: f"layer={layer + 1}&head={head + 1}" in page.page.url)  # noqa: B023
    page.page.get_by_role("radio", name="Attended to by").click()
    eventually(page.page, lambda: "direction=to" in page.page.url)
    shown, link = page.shown, page.page.url
    assert shown == View(3, 3, shown.query, "to")
    assert entries(page.page) == before + 1
    page.page.go_back()
    at(page.page, "/")
    expect(page.page.get_by_test_id("gallery").first).to_be_visible()
    page.page.go_forward()
    at(page.page, "/explore")
    page.ready()
    assert page.shown == shown
    assert page.page.url == link


VISITED = ("Explore", "Tokens", "Explain", "Lens")


@pytest.fixture
def visitor(app, new_page):
    """A page that has been on the first one and on those of VISITED, and the number of entries at its beginning."""
    page = new_page()
    page.goto(f"{app}/?model=digits")
    expect(page.get_by_test_id("gallery").first).to_be_visible()
    settled(page)
    before = entries(page)
    for number, name in enumerate(VISITED, 1):
        go_to(page, name)
        at(page, f"/{name.lower()}")
        assert entries(page) == before + number, name
    return page, before


@pytest.mark.exhaustive
def test_each_page_has_one_entry(visitor):
    page, _ = visitor
    for name in VISITED[-2::-1]:
        page.go_back()
        at(page, f"/{name.lower()}")
    page.go_back()
    at(page, "/")


@pytest.mark.exhaustive
def test_no_step_back_is_lost_in_a_hurry(visitor):
    page, before = visitor
    for _ in VISITED:
        page.evaluate("history.back()")
        page.wait_for_timeout(150)
    at(page, "/")
    expect(page.get_by_test_id("gallery").first).to_be_visible()
    settled(page)
    assert urlsplit(page.url).path == "/"
    assert entries(page) == before + len(VISITED)
    page.go_forward()
    at(page, "/explore")
    ExplorerPage(page).ready()
    eventually(page, lambda: "layer=" in page.url)


@pytest.mark.exhaustive
def test_a_link_that_is_opened_has_one_entry(app, new_page):
    page = ExplorerPage(new_page())
    page.page.goto("about:blank")
    before = entries(page.page)
    page.open(f"{app}/explore?image=cat&layer=3")
    assert entries(page.page) == before + 1
    eventually(page.page, lambda: "head=" in page.page.url)
    assert entries(page.page) == before + 1
