"""Example classes in a browser: one click on a page whose model has none, and the page speaks in them."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from scripts.app_server import running_app
from tests.browser.layout import settled
from tests.browser.test_accessibility import assert_accessible
from tests.browser.test_own_image import give, image, tiles
from tests.support.taught_heads import BASE, write_base
from vitviz.notation.variables import CHECKPOINT_DIR
from vitviz.ui.pages.teach import example

SAYS = {
    "explain": lambda page: page.get_by_role("combobox").and_(page.get_by_label("Target 1")),
    "intervene": lambda page: page.locator(".vv-answer [data-before]").first,
    "lens": lambda page: page.get_by_role("combobox").and_(page.get_by_label("Target class")),
}


@pytest.fixture(scope="module")
def other_app(tmp_path_factory) -> Iterator[str]:
    """A server whose checkpoint has no classes."""
    folder = tmp_path_factory.mktemp("checkpoints")
    write_base(folder)
    with running_app(environment={CHECKPOINT_DIR.name: str(folder)}) as url:
        yield url


def opened(page: Page, app: str, name: str) -> Page:
    page.goto(f"{app}/{name}?model={BASE}")
    expect(page.get_by_role("button", name="Example classes")).to_be_visible()
    settled(page)
    return page


@pytest.mark.parametrize("name", SAYS)
def test_one_click_and_back(name, other_app, new_page):
    page = opened(new_page(), other_app, name)
    assert give(page, "drop", image("mine.png"))
    expect(tiles(page)).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name="Example classes").click()
    said = SAYS[name](page)
    classes = re.compile("|".join(example.photographs()))
    if name == "intervene":
        expect(said).to_have_attribute("data-class", classes)
    else:
        expect(said).to_have_value(classes)
    expect(page).to_have_url(re.compile(f"/{name}\\?.*classes=own"))
    expect(page).to_have_url(re.compile("image=own"))
    settled(page)
    assert_accessible(page)
    page.get_by_role("button", name="Stop using these classes").click()
    expect(page.get_by_role("button", name="Example classes")).to_be_visible()
    expect(page).not_to_have_url(re.compile("classes="))
