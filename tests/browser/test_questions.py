"""The questions at the end of a page in a browser, answered with the keyboard alone."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

import vitviz
from tests.browser.explanations import click_patch, expect_numbers, opener
from vitviz.ui.app import state
from vitviz.walkthrough.quiz import Question, attention_questions, sequence_questions

SCORE = ".st-key-part_questions .st-key-right_answers"


@pytest.fixture
def story(app, new_page):
    return opener(app, new_page, "sequence", SCORE, 1)


@pytest.fixture
def attention(app, new_page):
    return opener(app, new_page, "attention", SCORE, 2)


def answers(page: Page, question: Question) -> Locator:
    return page.get_by_role("radiogroup", name=question.plain_text, exact=True).get_by_role("radio")


def answer_wrongly_then_rightly(page: Page, question: Question) -> None:
    """Choose a wrong answer, read why it is wrong, and go on with the arrows until the answer is right."""
    radios, right = answers(page, question), question.options.index(question.right)
    wrong = 0 if right else 1
    radios.nth(wrong).focus()
    page.keyboard.press("Space")
    step, arrow = (1, "ArrowDown") if right > wrong else (-1, "ArrowUp")
    for place in range(wrong, right + step, step):
        if place != wrong:
            page.keyboard.press(arrow)
        expect(radios.nth(place)).to_be_checked()
        expect(radios.nth(place)).to_be_focused()
        expect(page.get_by_text(question.options[place].explanation)).to_be_visible()


def test_a_wrong_answer_is_explained_and_another_can_be_given(story):
    trace = vitviz.load("dinov2-small").trace(state.samples()["cat"], size=224)
    page = story("image=cat")
    for question in sequence_questions(trace, 8 * 16 + 8):
        answer_wrongly_then_rightly(page, question)
    expect_numbers(page.locator(SCORE), 3, 3)
    expect(page.locator(".st-key-part_questions").get_by_test_id("stAlertContentWarning")).to_have_count(0)
    click_patch(page, 0, 4, 5)
    expect_numbers(page.locator(SCORE), 2, 3)
    answer_wrongly_then_rightly(page, sequence_questions(trace, 4 * 16 + 5)[1])
    expect_numbers(page.locator(SCORE), 3, 3)


@pytest.mark.exhaustive
def test_the_questions_about_attention_follow_layer_head_and_patch(attention):
    trace = vitviz.load("digits").trace(state.samples()["digit-4"])
    page = attention("model=digits&image=digit-4&layer=3&head=2")
    click_patch(page, 0, 1, 6, rows=8)
    expect(page.locator(".patches").first).to_have_attribute("data-column", "6")
    expect(page).to_have_url(re.compile("query=2-7"))
    for question in attention_questions(trace, 2, 1, trace.prefix + 1 * 8 + 6):
        expect(answers(page, question)).to_have_count(len(question.options))
        answer_wrongly_then_rightly(page, question)
    expect_numbers(page.locator(SCORE), 3, 3)
