"""Class link in the browsers of a teacher and of a pupil, on a server that allows users to share their image."""

import re
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, expect

from scripts.app_server import running_app
from tests.browser.layout import settled
from tests.browser.test_accessibility import assert_accessible
from tests.browser.test_own_image import assert_looked_at, give, image, ready
from tests.browser.test_projector import PROJECTOR
from vitviz.ui.app.class_images import GONE, VARIABLE


@pytest.fixture(scope="module")
def class_app() -> Iterator[str]:
    with running_app(environment={VARIABLE: "2"}) as url:
        yield url


def link_in(page: Page) -> str:
    """Address that the dialog shows."""
    return page.get_by_role("dialog").locator(".st-key-class_url code").inner_text()


def test_a_pupil_sees_the_shared_image_until_the_teacher_ends_it(class_app, new_page):
    teacher = ready(new_page(**PROJECTOR), f"{class_app}/explore?layer=3&head=2&projector=1")
    give(teacher, "paste", image("mine.png"))
    assert_looked_at(teacher, "mine.png")
    settled(teacher)
    teacher.get_by_test_id("projector").get_by_role("button", name="Class link").click()
    code = teacher.get_by_role("dialog").get_by_test_id("class-qr")
    expect(code).to_be_visible()
    assert "class-" not in link_in(teacher)
    teacher.get_by_role("button", name="Share my image").click()
    expect(teacher.get_by_role("button", name="End sharing")).to_be_visible()
    assert re.search("image=class-2h-", link_in(teacher))
    code.scroll_into_view_if_needed()
    assert code.bounding_box()["width"] >= 400, "for a projector"
    assert_accessible(teacher)
    link = link_in(teacher)
    assert urlsplit(link).path == "/explore"
    assert not {"projector", "guide"} & parse_qs(urlsplit(link).query).keys()

    pupil = new_page(viewport={"width": 390, "height": 844})
    pupil.goto(link)
    assert_looked_at(pupil, "class image")
    expect(pupil.get_by_test_id("explorer")).to_have_attribute("data-layer", "2")
    teacher.get_by_role("button", name="End sharing").click()
    expect(teacher.get_by_role("button", name="Share my image")).to_be_visible()
    pupil.reload()
    notice = pupil.locator(".st-key-notices").get_by_test_id("stAlert")
    expect(notice.filter(has_text=GONE)).to_be_visible()
    assert_looked_at(pupil, "cat")


def test_a_server_shares_nothing_unless_asked(app, new_page):
    page = ready(new_page(), f"{app}/explore")
    give(page, "paste", image("mine.png"))
    assert_looked_at(page, "mine.png")
    settled(page)
    page.get_by_test_id("stSidebar").get_by_role("button", name="Class link").click()
    expect(page.get_by_role("dialog").get_by_test_id("class-qr")).to_be_visible()
    expect(page.get_by_role("button", name="Share my image")).to_have_count(0)
    assert "image" not in parse_qs(urlsplit(link_in(page)).query)
