"""A server that is restarted under its users: what they do meanwhile counts, and what is lost is said."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from scripts.app_server import free_port, running_app
from tests.browser.conftest import LAPTOP
from tests.browser.explorer_page import ExplorerPage
from tests.browser.layout import PATIENCE, settled
from tests.browser.test_own_image import assert_looked_at, give, image
from vitviz.ui.components.own_image import ENDED

NO_STORE = "Object.defineProperty(window, 'indexedDB', { get() { throw new Error('this browser keeps nothing'); } });"
CONNECTED = "[data-test-connection-state=CONNECTED]"


@pytest.fixture(scope="module")
def restarted(browser: Browser) -> Iterator[dict[str, Page]]:
    """Pages of Explore after their server was restarted, by the user: each has done something before and meanwhile."""
    pages, port, media = {}, free_port(), []
    with running_app(port=port) as url:
        for user, script in (("with a photo", ""), ("whose browser keeps nothing", NO_STORE), ("with a sample", "")):
            page = pages[user] = browser.new_context(viewport=LAPTOP).new_page()
            page.set_default_timeout(1000 * PATIENCE)
            page.add_init_script(script)
            page.goto(f"{url}/explore?model=digits")
            ExplorerPage(page).ready()
            if user != "with a sample":
                page.on("request", lambda request: media.append(request.url) if "/media/" in request.url else None)
                give(page, "paste", image("mine.png", size=(300, 300)))
                assert_looked_at(page, "mine.png")
                page.wait_for_url("**image=own*", wait_until="commit")
            settled(page)
    assert not media, "a photo has no address at which others could ask for it"
    for user, page in pages.items():
        expect(page.locator(CONNECTED)).to_have_count(0)
        gallery, explorer = page.get_by_test_id("gallery"), page.get_by_test_id("explorer")
        chosen = gallery.locator("[data-name=digit-7]") if user == "with a sample" else explorer.get_by_text("Smooth")
        chosen.dispatch_event(
            "click"
        )  # a click with the mouse may come after Streamlit's dialog, which covers the page
    with running_app(port=port):
        for page in pages.values():
            expect(page.locator(CONNECTED)).to_have_count(1)
        yield pages
        for page in pages.values():
            page.context.close()


def test_what_was_clicked_meanwhile_is_done_and_the_photo_is_there_again(restarted):
    page = restarted["with a photo"]
    page.wait_for_url("**smooth=on*", wait_until="commit")
    assert_looked_at(page, "mine.png")
    assert "image=own" in page.url
    expect(page.locator(".st-key-notices").get_by_test_id("stAlert")).to_have_count(0)


def test_a_photo_that_nobody_has_kept_is_asked_for_again(restarted):
    page = restarted["whose browser keeps nothing"]
    expect(page.locator(".st-key-notices").get_by_test_id("stAlert")).to_have_text(ENDED)
    page.wait_for_url("**smooth=on*", wait_until="commit")
    give(page, "paste", image("again.png", "blue"))
    assert_looked_at(page, "again.png")


def test_a_sample_that_was_chosen_meanwhile_is_looked_at(restarted):
    page = restarted["with a sample"]
    page.wait_for_url("**image=digit-7*", wait_until="commit")
    assert_looked_at(page, "digit-7")
