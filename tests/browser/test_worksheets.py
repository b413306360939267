"""Worksheets and answer keys in a browser: the buttons give files, and each worksheet prints on one sheet."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.layout import downloaded, in_wide_fonts, settled
from tests.browser.test_layout import PHONE
from tests.browser.test_summary import A4, sheets
from tests.support.explained_traces import explained
from tests.support.handouts import Read, class_set, run_of
from vitviz.ui.pages.lesson.handout import answers_html, handout, worksheets_html

LETTER = 259 / 25.4 * 96  # pixels; a US Letter sheet with the same margins
LONG = {"image": f"{'a very long name ' * 8}.jpg", "model": "vit_base_patch16_rope_reg1_gap_256.sbb_in1k"}
LINK = {"address": f"image={'x' * 120}&layer=2"}


def assert_one_sheet_each(page: Page, count: int) -> None:
    """Nothing is continued on a second sheet, and nothing is cut."""
    assert sheets(page) == count
    page.emulate_media(media="print")
    heights = page.locator(".sheet").evaluate_all("all => all.map((one) => [one.clientHeight, one.scrollHeight])")
    for height, inner in heights:
        assert inner <= height + 1
        assert inner <= LETTER
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@in_wide_fonts
@pytest.mark.parametrize("kind", ["dinov2-small", "digits", "differential", "relative", "registers"])
def test_each_worksheet_prints_on_one_sheet(kind, new_page):
    page = new_page(viewport=A4)
    page.set_content(worksheets_html(class_set(explained(kind), 3, **LONG, **LINK)))
    assert_one_sheet_each(page, 3)
    page.set_content(answers_html(class_set(explained(kind), 1, **LONG)))
    assert_one_sheet_each(page, 1)


@pytest.mark.exhaustive
@in_wide_fonts
def test_an_overview_of_a_whole_class_prints_on_one_sheet(new_page):
    page = new_page(viewport=A4)
    page.set_content(answers_html(class_set(explained("dinov2-small"), 40)))
    assert_one_sheet_each(page, 41)


@pytest.mark.parametrize("family", ["DejaVu Sans", "DejaVu Sans Mono"])
def test_an_unusual_font_begins_no_second_sheet(family, new_page):
    """Also in browsers that do not adjust the size of fonts."""
    page = new_page(viewport=A4)
    style = f"<style>body {{ font-family: {family}; font-size-adjust: none; }}</style>"
    for document in (handout(run_of(explained("digits"))), worksheets_html(class_set(explained("digits")))):
        page.set_content(document.replace("</head>", f"{style}</head>"))
        assert sheets(page) == 1


def test_worksheets_read_on_a_phone(new_page):
    page = new_page(viewport=PHONE)
    page.set_content(worksheets_html(class_set(explained("digits"))))
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_the_buttons_give_tasks_and_their_answers(app, new_page):
    page = new_page()
    page.goto(f"{app}/sequence?image=digit-4&model=digits&layer=3&head=2&query=3-4")
    expect(page.locator(".st-key-worksheets")).to_be_visible()
    settled(page)
    pupils = page.locator(".st-key-worksheets input")
    pupils.fill("2")
    pupils.press("Enter")
    settled(page)
    files = {}
    for label in ("2 worksheets (HTML)", "Answer key (HTML)"):
        files[label] = downloaded(page, label).path().read_text("utf-8")
    tasks, answers = (Read(text) for text in files.values())
    assert len(tasks.sheets) == len(answers.sheets) == 2
    assert not any("".join(sheet.values()) for sheet in tasks.sheets)
    assert answers.sheets[0]["number"] == f"{2 * 8 + 4}"
    assert "image=digit-4" in tasks.text
