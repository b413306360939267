"""Quiz at the end of both lesson pages, on the user's own image: a hint after a wrong answer, then a second try."""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from functools import partial

import streamlit as st

from ....trace.trace import Trace
from ....walkthrough import quiz
from ....walkthrough.quiz import Option, Question
from ...app import state
from ...app.messages import escape_markdown, show_errors
from ...app.settings import Setting
from ..attention.head_view import HeadView
from .followed_token import followed_patch
from .sections import draw_text, patch_number, section

IN_A_ROW = 60  # letters of options that are shown in one row
TRIES = 2  # answers to a question before the right one is shown
NUMBER = Setting("question_number", 0, per=str)  # index of the shown question; the context is the name of the quiz
GIVEN = Setting("given_answers", (), per=str)  # indices of the checked options, in order; the context is an identity


def about_sequence(choice: state.Choice, trace: Trace) -> None:
    """Draw the quiz on the way from the image to the sequence."""
    patch = patch_number(trace, followed_patch(trace))
    _check_yourself("sequence", quiz.sequence_questions(trace, patch), choice)


def about_attention(view: HeadView) -> None:
    """Draw the quiz on the chosen head and token."""
    _check_yourself("attention", quiz.attention_questions(view.trace, view.layer, view.head, view.query), view.choice)


@st.fragment
@show_errors()
def _check_yourself(name: str, questions: Sequence[Question], choice: state.Choice) -> None:
    if not questions:  # an image of one patch
        return
    section("Check yourself", "Two tries for each question, with a hint in between.")
    places = range(len(questions))
    if NUMBER.get(name) not in places:
        NUMBER.reset(name)
    at = NUMBER.draw(
        st.segmented_control, "Question", places, context=name, format_func=lambda place: f"{place + 1}", required=True
    )
    identities = [_identity(question, choice) for question in questions]
    question, identity = questions[at], identities[at]
    chosen = _ask(question, identity)
    solved = sum(map(_is_solved, questions, identities))
    with st.container(horizontal=True, vertical_alignment="center"):
        _check(question, identity, chosen)
        if at + 1 < len(questions):
            st.button("Next question", key=f"next_{name}", on_click=NUMBER.set, args=(at + 1, name))
        with st.container(key="right_answers"):
            st.markdown(f"**{solved} of {len(questions)} right**")
    with st.container(key="feedback"):
        if given := GIVEN.get(identity):
            _respond(question, question.options[given[-1]], last=_is_over(question, identity))


def draw_one(question: Question, choice: state.Choice) -> None:
    """Draw a single question, in a fragment of the page.

    Args:
        question: the question.
        choice: image and model that the answers belong to.
    """
    identity = _identity(question, choice)
    _check(question, identity, _ask(question, identity))
    with st.container(key=f"feedback_{question.name}"):
        if given := GIVEN.get(identity):
            _respond(question, question.options[given[-1]], last=_is_over(question, identity))


def _ask(question: Question, identity: str) -> int | None:
    """Draw a question with its options; return the index of the chosen one."""
    draw_text(question.text)
    count, labels = len(question.options), [option.label for option in question.options]
    answer = Setting(f"question_{question.name}", per=str, valid=lambda index, _: index in range(count))
    return answer.draw(
        st.radio,
        question.plain_text,
        range(count),
        context=identity,
        index=None,
        format_func=lambda index: _shown(labels[index]),
        label_visibility="collapsed",
        disabled=_is_over(question, identity),
        horizontal=sum(map(len, labels)) < IN_A_ROW,
    )


def _check(question: Question, identity: str, chosen: int | None) -> None:
    """Draw the button that checks the chosen option, unless the question is over."""
    given = GIVEN.get(identity)
    if not _is_over(question, identity):
        st.button(
            "Check again" if given else "Check",
            key=f"check_{question.name}",
            type="primary",
            disabled=chosen is None or chosen in given,
            on_click=partial(_give, identity, chosen),
        )


def _is_over(question: Question, identity: str) -> bool:
    return _is_solved(question, identity) or len(GIVEN.get(identity)) >= TRIES


def _respond(question: Question, answer: Option, last: bool) -> None:
    """Draw the feedback on an answer: a hint if there is another try, else the right answer."""
    if answer.right:
        st.success(f"**Right.** {_shown(answer.explanation)}")
        return
    st.warning(f"**Not this one.** {_shown(answer.explanation)}")
    if last:
        right = question.right
        st.info(f"**The answer: {_shown(right.label)}.** {_shown(right.explanation)}")
    else:
        st.info(f"**Hint.** {_shown(question.hint)}")


def _give(identity: str, chosen: int) -> None:
    """Check an answer. A second click on the same one, sent before the page was updated, does not count."""
    given = GIVEN.get(identity)
    if chosen not in given and len(given) < TRIES:
        GIVEN.set((*given, chosen), identity)


def _is_solved(question: Question, identity: str) -> bool:
    return any(question.options[index].right for index in GIVEN.get(identity))


def _identity(question: Question, choice: state.Choice) -> str:
    """Return a text that differs between questions and images, so that answers are not carried over."""
    parts = choice.key, question.text, [option.label for option in question.options]
    return f"{zlib.crc32(repr(parts).encode()):08x}"


def _shown(text: str) -> str:
    """Return literal text without line breaks within a product or before a percent sign."""
    return escape_markdown(re.sub(r" (?=[×%])|(?<=×) ", "\u00a0", text))
