"""Quiz of the lesson pages: a wrong answer brings a hint, a second one the right answer; answers belong to an image."""

import re

import pytest
from streamlit.testing.v1 import AppTest

import vitviz
from tests.support import random_models as kinds
from tests.support.app_pages import choice_of, opened, placed, settings, show_instead
from tests.support.exhaustive import exhaustive
from vitviz.ui.app import state
from vitviz.walkthrough.quiz import attention_questions, sequence_questions

COUNT = 5


def plain(text: str) -> str:
    """Return text without Markdown escapes."""
    return re.sub(r"\\(.)", r"\1", text).replace("\u00a0", " ")


def said(app: AppTest) -> str:
    """Return the feedback on the answers."""
    return "\n".join(plain(element.value) for kind in (app.warning, app.info, app.success) for element in kind)


def counted(app: AppTest) -> list[int]:
    """Return the numbers of right answers and of questions that the page shows."""
    return [int(number) for number in re.findall(r"\d+", " ".join(placed(app, "right_answers")))]


def radio(app: AppTest):
    assert not app.exception
    assert not app.error
    (shown,) = [one for one in app.radio if str(one.key).startswith("question_")]
    return shown


def go_to(app: AppTest, page: str, place: int) -> AppTest:
    settings(app)[f"question_number_{page}"] = place
    return app.run()


def answer(app: AppTest, question, option) -> AppTest:
    radio(app).set_value(question.options.index(option)).run()
    return app.button(key=f"check_{question.name}").click().run()


def questions_on(app: AppTest) -> tuple:
    """The questions of the library for what the page shows."""
    choice, (row, column) = choice_of(app), settings(app)["patch"]
    trace = vitviz.load(choice.model).trace(choice.picked.data, size=choice.size)
    patch = row * trace.grid[1] + column
    if "attention_layer" not in [box.key for box in app.selectbox]:
        return sequence_questions(trace, patch)
    view = app.session_state.view
    return attention_questions(trace, view.layer, view.head or 0, trace.prefix + patch)


def solve_all(app: AppTest, page: str) -> AppTest:
    for place, question in enumerate(questions_on(app)):
        answer(go_to(app, page, place), question, question.right)
    return app


@pytest.mark.parametrize(("page", "model"), [exhaustive("sequence", "dinov2-small"), ("attention", "digits")])
def test_a_hint_then_a_second_try_then_the_answer(page, model):
    app = opened(page, model=model)
    questions = questions_on(app)
    assert counted(app) == [0, COUNT]
    for place, question in enumerate(questions):
        go_to(app, page, place)
        assert radio(app).label == question.plain_text
        assert radio(app).value is None
        assert app.button(key=f"check_{question.name}").disabled
        assert said(app) == ""
        first, second = [option for option in question.options if not option.right][:2]
        answer(app, question, first)
        assert first.explanation in said(app)
        assert question.hint in said(app)
        assert question.right.explanation not in said(app)
        assert app.button(key=f"check_{question.name}").disabled, "the same answer is not checked twice"
        wrong = place % 2
        answer(app, question, second if wrong else question.right)
        assert question.right.explanation in said(app)
        assert question.hint not in said(app)
        assert (second.explanation in said(app)) == wrong
        assert (question.right.label in said(app)) >= wrong
        assert radio(app).disabled
        assert f"check_{question.name}" not in [button.key for button in app.button]
        assert counted(app) == [place // 2 + 1, COUNT]


def test_questions_come_one_after_the_other_and_keep_their_answers():
    app = opened("sequence", model="digits")
    first, second = questions_on(app)[:2]
    answer(app, first, first.right)
    app.button(key="next_sequence").click().run()
    assert radio(app).label == second.plain_text
    go_to(app, "sequence", 0)
    assert radio(app).value == first.options.index(first.right)
    assert first.right.explanation in said(app)
    go_to(app, "sequence", COUNT - 1)
    assert "next_sequence" not in [button.key for button in app.button]


def test_another_patch_begins_anew_with_what_is_asked_about_it():
    app = solve_all(opened("sequence", model="digits"), "sequence")
    assert counted(app) == [COUNT, COUNT]
    settings(app)["patch"] = (0, 0)
    assert counted(app.run()) == [COUNT - 2, COUNT], "its row and its position are other ones"
    app.session_state.picked = state.Picked("digit-7", state.samples()["digit-7"], sample=True)
    assert counted(app.run()) == [0, COUNT]


def test_another_layer_begins_anew():
    app = opened("attention", model="digits", layer="3", head="2", query="4-5")
    (first, *_) = questions_on(app)
    answer(app, first, first.right)
    assert counted(app) == [1, COUNT]
    app.selectbox(key="attention_layer").select(0).run()
    assert counted(app) == [0, COUNT]


@pytest.mark.parametrize("kind", ["differential", "mean", "pooled"])
def test_models_of_other_kinds_are_asked_on_the_page(monkeypatch, kind):
    trace = kinds.trace_of(kind)
    show_instead(monkeypatch, trace, kind)
    app = go_to(opened("attention"), "attention", 2)
    layer, head = (app.selectbox(key=f"attention_{name}").value for name in ("layer", "head"))
    row, column = settings(app)["patch"]
    question = attention_questions(trace, layer, head, trace.prefix + row * 6 + column)[2]
    assert radio(app).label == question.plain_text
    wrong = next(option for option in question.options if not option.right)
    answer(app, question, wrong)
    assert wrong.explanation in said(app)
