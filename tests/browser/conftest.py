"""One app and one browser for all browser tests; a fresh page, and so a fresh session, for each."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, Playwright, expect, sync_playwright

from scripts.app_server import launched_browser, running_app
from scripts.fonts import STATED, Fonts
from tests.browser.explorer_page import ExplorerPage
from tests.browser.layout import NOTE_MESSAGES, PATIENCE
from vitviz.ui.app import state

expect.set_options(timeout=1000 * PATIENCE)
LAPTOP = {"width": 1366, "height": 768}
NO_OPTIMISER = "--js-flags=--no-opt --no-maglev"  # which costs more than it saves on pages that are open for seconds
WEB_FONTS = "**/Source*.woff2"  # Streamlit's fonts for text; its icons are a font, too, and stay


@pytest.fixture(scope="session")
def app() -> Iterator[str]:
    with running_app() as url:
        yield url


@pytest.fixture(scope="session")
def fonts(request) -> Fonts:
    """The only fonts on the visitor's machine; tests of the layout are run again with other ones: `in_all_fonts`."""
    return getattr(request, "param", STATED)


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="session")
def browser(playwright, fonts) -> Iterator[Browser]:
    with launched_browser(fonts, NO_OPTIMISER, playwright=playwright) as browser:
        yield browser


@pytest.fixture(scope="session")
def page_options() -> dict:
    """Options of all pages."""
    return {"viewport": LAPTOP}


@pytest.fixture
def new_page(browser, page_options, fonts) -> Iterator[Callable[..., Page]]:
    """Open pages with options of Playwright's `new_context`; all are closed afterwards, and none may have failed."""
    contexts, failures = [], []

    def open_page(**options) -> Page:
        context = browser.new_context(**{**page_options, **options})
        contexts.append(context)
        if fonts is not STATED:  # else the app's own fonts would stand in for them
            context.route(WEB_FONTS, lambda route: route.abort())
        context.add_init_script(NOTE_MESSAGES)
        page = context.new_page()
        page.set_default_timeout(1000 * PATIENCE)
        page.on("pageerror", lambda error: failures.append(str(error)))
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not failures, failures


@pytest.fixture
def explore(app, new_page) -> Callable[..., ExplorerPage]:
    """Open the Explore page with query parameters."""

    def open_explorer(parameters: str = "", **options) -> ExplorerPage:
        return ExplorerPage(new_page(**options)).open(f"{app}/explore?{parameters}")

    return open_explorer


@pytest.fixture(scope="session")
def cat(model):
    """The trace of the sample "cat" at 224 px, as the app computes it; files may have another `photo` than `trace`."""
    return model.trace(state.samples()["cat"], size=224)
