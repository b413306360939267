"""A server that is restarted under a user: what they do meanwhile counts, and what is lost is said."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from scripts.app_server import free_port, running_app
from vitviz.ui.own import ENDED

from .explorer_page import ExplorerPage
from .layout import settled
from .test_own_image import assert_looked_at, give, image

NO_STORE = "Object.defineProperty(window, 'indexedDB', { get() { throw new Error('this browser keeps nothing'); } });"


@pytest.fixture
def restarted(new_page) -> Callable[..., Page]:
    """A page of Explore whose server was restarted; a user has done something before and something meanwhile."""

    def restart(before: Callable[[Page], None], meanwhile: Callable[[Page], None], script: str = "") -> Page:
        page, port = new_page(), free_port()
        page.add_init_script(script)
        with running_app(port=port) as url:
            page.goto(f"{url}/explore")
            ExplorerPage(page).ready()
            before(page)
            settled(page)
        expect(page.locator("[data-test-connection-state=CONNECTED]")).to_have_count(0)
        meanwhile(page)
        running = running_app(port=port)
        running.__enter__()
        restart.running.append(running)
        expect(page.locator("[data-test-connection-state=CONNECTED]")).to_have_count(1)
        return page

    restart.running = []
    yield restart
    for running in restart.running:
        running.__exit__(None, None, None)


def own_photo(page: Page) -> None:
    media = []
    page.on("request", lambda request: media.append(request.url) if "/media/" in request.url else None)
    give(page, "paste", image("mine.png", size=(300, 300)))
    assert_looked_at(page, "mine.png")
    page.wait_for_url("**image=own*", wait_until="commit")
    assert not media, "a photo has no address at which others could ask for it"


def smooth(page: Page) -> None:
    page.get_by_test_id("explorer").get_by_text("Smooth").click()


def test_what_is_clicked_meanwhile_is_done_and_the_photo_is_there_again(restarted):
    page = restarted(own_photo, smooth)
    page.wait_for_url("**smooth=on*", wait_until="commit")
    assert_looked_at(page, "mine.png")
    assert "image=own" in page.url
    expect(page.locator(".st-key-notices").get_by_test_id("stAlert")).to_have_count(0)


def test_a_photo_that_nobody_has_kept_is_asked_for_again(restarted):
    page = restarted(own_photo, smooth, NO_STORE)
    expect(page.locator(".st-key-notices").get_by_test_id("stAlert")).to_have_text(ENDED)
    page.wait_for_url("**smooth=on*", wait_until="commit")
    give(page, "paste", image("again.png", "blue"))
    assert_looked_at(page, "again.png")


def test_a_sample_that_is_chosen_meanwhile_is_looked_at(restarted):
    page = restarted(
        lambda page: None, lambda page: page.get_by_test_id("gallery").locator("[data-name=flower]").click()
    )
    page.wait_for_url("**image=flower*", wait_until="commit")
    assert_looked_at(page, "flower")
