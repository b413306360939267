"""Quiz at the end of both lesson pages, on the user's own image."""

from __future__ import annotations

import re
import zlib

import streamlit as st

from ....trace.trace import Trace
from ....walkthrough import quiz
from ....walkthrough.quiz import Question
from ...app import state
from ...app.messages import escape_markdown, show_errors
from ..attention.head_view import HeadView
from .followed_token import followed_patch
from .sections import draw_text, patch_number, section


def about_sequence(choice: state.Choice, trace: Trace) -> None:
    """Draw the quiz on the way from the image to the sequence."""
    _check_yourself(quiz.sequence_questions(trace, patch_number(trace, followed_patch(trace))), choice)


def about_attention(view: HeadView) -> None:
    """Draw the quiz on the chosen head and patch."""
    _check_yourself(quiz.attention_questions(view.trace, view.layer, view.head, view.query), view.choice)


@st.fragment
@show_errors()
def _check_yourself(questions: tuple[Question, ...], choice: state.Choice) -> None:
    section("Check yourself", "The answers follow from your image and this model; each choice is explained.")
    right = [_ask(place + 1, question, choice) for place, question in enumerate(questions)]
    with st.container(key="right_answers"):
        st.markdown(f"**{sum(right)} of {len(right)} right**")


def _ask(place: int, question: Question, choice: state.Choice) -> bool:
    """Draw a question with feedback on the answer; return True if it is right."""
    draw_text(f"**{place}.** {question.text}")
    chosen = st.radio(
        question.plain_text,
        range(len(question.options)),
        index=None,
        format_func=lambda index: _shown(question.options[index].label),
        key=f"question_{place}_{_identity(question, choice)}",
        label_visibility="collapsed",
    )
    if chosen is None:
        return False
    option = question.options[chosen]
    if option.right:
        st.success(f"**Right.** {_shown(option.explanation)}")
    else:
        st.warning(f"**Not this one.** {_shown(option.explanation)}")
    return option.right


def _identity(question: Question, choice: state.Choice) -> int:
    """Return a number that differs between questions and images, so that answers are not carried over."""
    return zlib.crc32(repr((choice.key, question.text, [option.label for option in question.options])).encode())


def _shown(text: str) -> str:
    """Return literal text without line breaks within a product or before a percent sign."""
    return escape_markdown(re.sub(r" (?=[×%])|(?<=×) ", "\u00a0", text))
