"""Back and Forward go from page to page, whatever was looked at on one."""

from urllib.parse import urlsplit

from playwright.sync_api import Page, expect

from vitviz.view import View

from .explorer_page import ExplorerPage
from .layout import eventually, settled


def entries(page: Page) -> int:
    return page.evaluate("history.length")


def at(page: Page, path: str) -> None:
    eventually(page, lambda: urlsplit(page.url).path == path)
    settled(page)


def test_back_leaves_the_explorer_and_forward_returns_to_the_last_view(app, new_page):
    page = ExplorerPage(new_page())
    page.page.goto(app)
    expect(page.page.get_by_test_id("gallery").first).to_be_visible()
    settled(page.page)
    before = entries(page.page)
    page.page.get_by_test_id("stHeader").get_by_role("link", name="Explore", exact=True).click()
    page.ready()
    for layer, head in ((3, 1), (7, 2), (11, 0), (5, 5), (8, 3)):
        page.head(layer, head).click()
        eventually(page.page, lambda: f"layer={layer + 1}&head={head + 1}" in page.page.url)  # noqa: B023
    page.page.get_by_role("radio", name="Who looks at it?").click()
    eventually(page.page, lambda: "direction=to" in page.page.url)
    shown, link = page.shown, page.page.url
    assert shown == View(8, 3, shown.query, "to")
    assert entries(page.page) == before + 1
    page.page.go_back()
    at(page.page, "/")
    expect(page.page.get_by_test_id("gallery").first).to_be_visible()
    page.page.go_forward()
    at(page.page, "/explore")
    page.ready()
    assert page.shown == shown
    assert page.page.url == link


def test_each_page_has_one_entry(app, new_page):
    page = new_page()
    page.goto(f"{app}/?model=digits")
    expect(page.get_by_test_id("gallery").first).to_be_visible()
    settled(page)
    before = entries(page)
    for number, name in enumerate(("Explore", "Tokens", "Explain", "Lens"), 1):
        page.get_by_test_id("stHeader").get_by_role("link", name=name, exact=True).click()
        at(page, f"/{name.lower()}")
        assert entries(page) == before + number, name


def test_a_link_that_is_opened_has_one_entry(app, new_page):
    page = ExplorerPage(new_page())
    page.page.goto("about:blank")
    before = entries(page.page)
    page.open(f"{app}/explore?image=cat&layer=3")
    assert entries(page.page) == before + 1
    eventually(page.page, lambda: "head=" in page.page.url)
    assert entries(page.page) == before + 1
