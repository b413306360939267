"""Class link in the browsers of a teacher and of a pupil, on a server that allows users to share their image."""

import re
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Locator, Page, expect

from scripts.app_server import running_app
from tests.browser.layout import eventually, settled
from tests.browser.test_accessibility import assert_accessible
from tests.browser.test_map import assert_at, the_map
from tests.browser.test_own_image import assert_looked_at, give, image, ready
from tests.browser.test_projector import PROJECTOR
from vitviz.notation.variables import CLASS_HOURS
from vitviz.ui.app.class_images import GONE


@pytest.fixture(scope="module")
def class_app() -> Iterator[str]:
    with running_app(environment={CLASS_HOURS.name: "2"}) as url:
        yield url


def gone(page: Page) -> Locator:
    """Notice that the image is no longer shared."""
    return page.locator(".st-key-notices").get_by_test_id("stAlert").filter(has_text=GONE)


def picker(page: Page) -> Locator:
    """Image on a lesson page."""
    return page.get_by_test_id("patch-picker-image").first


def assert_looks_closely_at(page: Page, name: str) -> None:
    expect(picker(page)).to_have_attribute("aria-label", re.compile(f"^{name}, "))


def open_link(page: Page) -> None:
    page.get_by_test_id("stSidebar").get_by_role("button", name="Class link").click()
    expect(page.get_by_role("dialog").get_by_test_id("class-qr")).to_be_visible()


def share(page: Page, name: str) -> Page:
    """Give an image to the page, and share it."""
    give(page, "paste", image(name))
    assert_looked_at(page, name)
    settled(page)
    open_link(page)
    page.get_by_role("button", name="Share my image").click()
    expect(page.get_by_role("button", name="End sharing")).to_be_visible()
    expect(address(page)).to_contain_text("image=class-")
    return page


def address(page: Page) -> Locator:
    """Address that the dialog shows. It may arrive after the buttons beside it."""
    return page.get_by_role("dialog").locator(".st-key-class_url code")


def link_in(page: Page) -> str:
    return address(page).inner_text()


def test_a_pupil_sees_the_shared_image_until_the_teacher_ends_it(class_app, new_page):
    teacher = ready(new_page(**PROJECTOR), f"{class_app}/explore?model=digits&layer=3&head=2&projector=1")
    give(teacher, "paste", image("mine.png"))
    assert_looked_at(teacher, "mine.png")
    settled(teacher)
    teacher.get_by_test_id("projector").get_by_role("button", name="Class link").click()
    code = teacher.get_by_role("dialog").get_by_test_id("class-qr")
    expect(code).to_be_visible()
    assert "class-" not in link_in(teacher)
    teacher.get_by_role("button", name="Share my image").click()
    expect(teacher.get_by_role("button", name="End sharing")).to_be_visible()
    expect(address(teacher)).to_contain_text("image=class-2h-")
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
    other = new_page()
    other.goto(link.replace("/explore", "/attention"))
    assert_looks_closely_at(other, "class image")
    settled(other)
    teacher.get_by_role("button", name="End sharing").click()
    expect(teacher.get_by_role("button", name="Share my image")).to_be_visible()
    pupil.get_by_test_id("explorer-image").click(position={"x": 30, "y": 30})  # runs a fragment of the page
    expect(gone(pupil)).to_be_visible()
    assert_looked_at(pupil, "digit-0")
    picker(other).click(position={"x": 9, "y": 9})
    expect(gone(other)).to_be_visible()
    assert_looks_closely_at(other, "digit-0")
    for page in (pupil, other):
        expect(page.get_by_test_id("stMain").get_by_test_id("stAlertContentError")).to_have_count(0)
    late = new_page()
    late.goto(link)
    expect(gone(late)).to_be_visible()
    assert_looked_at(late, "digit-0")


@pytest.mark.exhaustive
def test_the_tab_that_shares_an_image_can_end_it_after_a_reload(class_app, new_page):
    teacher = share(ready(new_page(), f"{class_app}/explore?model=digits"), "mine.png")
    link = link_in(teacher)
    teacher.reload()
    assert_looked_at(teacher, "mine.png")
    settled(teacher)
    teacher.get_by_test_id("gallery").locator("[data-name=digit-3]").click()
    assert_looked_at(teacher, "digit-3")
    settled(teacher)
    open_link(teacher)
    expect(teacher.get_by_role("button", name="End sharing")).to_have_count(1)
    stranger = ready(new_page(), f"{class_app}/explore?model=digits")
    give(stranger, "paste", image("mine.png"))
    assert_looked_at(stranger, "mine.png")
    settled(stranger)
    open_link(stranger)
    expect(stranger.get_by_role("button", name="Share my image")).to_be_visible()
    expect(stranger.get_by_role("button", name="End sharing")).to_have_count(0)
    teacher.get_by_role("button", name="End sharing").click()
    expect(teacher.get_by_role("button", name="End sharing")).to_have_count(0)
    pupil = new_page()
    pupil.goto(link)
    expect(gone(pupil)).to_be_visible()


@pytest.mark.exhaustive
def test_a_share_ends_by_itself(new_page):
    """Its time, some seconds here, may be over before a slow machine has opened the link once: then share it again."""
    with running_app(environment={CLASS_HOURS.name: "0.004"}) as url:
        teacher, pupil = ready(new_page(), f"{url}/explore?model=digits"), new_page()
        share(teacher, "mine.png")
        for _ in range(20):
            pupil.goto(link_in(teacher))
            expect(pupil.locator("[data-ref=photo]")).to_be_visible()
            settled(pupil)
            if not gone(pupil).is_visible():
                break
            teacher.reload()
            assert_looked_at(teacher, "mine.png")
            settled(teacher)
            open_link(teacher)
            teacher.get_by_role("button", name="Share my image").click()
            expect(teacher.get_by_role("button", name="End sharing")).to_be_visible()
        assert_looked_at(pupil, "class image")

        def has_ended() -> bool:
            settled(pupil)
            pupil.get_by_test_id("explorer-image").click(position={"x": 30, "y": 30})
            settled(pupil)
            return gone(pupil).is_visible()

        eventually(pupil, has_ended)
        assert_looked_at(pupil, "digit-0")


@pytest.mark.exhaustive
def test_the_class_link_opens_the_section_in_view(class_app, new_page):
    teacher = new_page()
    teacher.goto(f"{class_app}/attention?model=digits&image=digit-4")
    expect(teacher.locator(".st-key-part_summary")).to_be_visible()
    settled(teacher)
    the_map(teacher).locator("[data-name=softmax]").click()
    assert_at(teacher, "softmax")
    open_link(teacher)
    eventually(teacher, lambda: parse_qs(urlsplit(link_in(teacher)).query).get("section") == ["softmax"])
    assert "section" not in parse_qs(urlsplit(teacher.url).query)
    pupil = new_page()
    pupil.goto(link_in(teacher))
    expect(pupil.locator(".st-key-part_summary")).to_be_visible()
    settled(pupil)
    assert_at(pupil, "softmax")


@pytest.mark.exhaustive
def test_a_server_shares_nothing_unless_asked(app, new_page):
    page = ready(new_page(), f"{app}/explore")
    give(page, "paste", image("mine.png"))
    assert_looked_at(page, "mine.png")
    settled(page)
    page.get_by_test_id("stSidebar").get_by_role("button", name="Class link").click()
    expect(page.get_by_role("dialog").get_by_test_id("class-qr")).to_be_visible()
    expect(page.get_by_role("button", name="Share my image")).to_have_count(0)
    assert "image" not in parse_qs(urlsplit(link_in(page)).query)
