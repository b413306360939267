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
    return opener(app, new_page, "sequence", SCORE, 2)


@pytest.fixture
def attention(app, new_page):
    return opener(app, new_page, "attention", SCORE, 2)


def answers(page: Page, question: Question) -> Locator:
    return page.get_by_role("radiogroup", name=question.plain_text, exact=True).get_by_role("radio")


def answer(page: Page, question: Question, place: int) -> None:
    """Choose an option and check it, with the keyboard."""
    radios = answers(page, question)
    checked = [radio.is_checked() for radio in radios.all()]
    if not any(checked):
        radios.nth(place).focus()
        page.keyboard.press("Space")
    else:
        before = checked.index(True)
        radios.nth(before).focus()
        for _ in range(abs(place - before)):
            page.keyboard.press("ArrowDown" if place > before else "ArrowUp")
    expect(radios.nth(place)).to_be_checked()
    check = page.locator(f".st-key-check_{question.name} button")
    expect(check).to_be_enabled()
    check.focus()
    page.keyboard.press("Enter")


def answer_wrongly_then_rightly(page: Page, question: Question) -> None:
    """Answer wrongly, read the hint, and answer rightly."""
    right = question.options.index(question.right)
    wrong = 0 if right else 1
    answer(page, question, wrong)
    expect(page.get_by_text(question.hint)).to_be_visible()
    expect(page.get_by_text(question.options[wrong].explanation)).to_be_visible()
    expect(page.get_by_text(question.right.explanation)).to_have_count(0)
    answer(page, question, right)
    expect(page.get_by_text(question.right.explanation)).to_be_visible()
    expect(page.get_by_text(question.hint)).to_have_count(0)


def test_a_hint_and_a_second_try(story):
    trace = vitviz.load("digits").trace(state.samples()["digit-4"])
    page = story("model=digits&image=digit-4")
    questions = sequence_questions(trace, 4 * 8 + 4)
    for question in questions:
        answer_wrongly_then_rightly(page, question)
        if question is not questions[-1]:
            page.locator(".st-key-next_sequence button").press("Enter")
    expect_numbers(page.locator(SCORE), 5, 5)
    click_patch(page, 0, 2, 5, rows=8)
    expect_numbers(page.locator(SCORE), 3, 5)  # the row and the position of the patch are asked for again


@pytest.mark.exhaustive
def test_the_questions_about_attention_follow_layer_head_and_patch(attention):
    trace = vitviz.load("digits").trace(state.samples()["digit-4"])
    page = attention("model=digits&image=digit-4&layer=3&head=2")
    click_patch(page, 0, 1, 6, rows=8)
    expect(page.locator(".patches").first).to_have_attribute("data-column", "6")
    expect(page).to_have_url(re.compile("query=2-7"))
    question = attention_questions(trace, 2, 1, trace.prefix + 1 * 8 + 6)[0]
    expect(answers(page, question)).to_have_count(len(question.options))
    answer_wrongly_then_rightly(page, question)
    expect_numbers(page.locator(SCORE), 1, 5)
