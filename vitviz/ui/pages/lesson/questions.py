"""The end of both pages: questions to check oneself with, on the visitor's own image."""

from __future__ import annotations

import re
import zlib

import streamlit as st

from ....trace.trace import Trace
from ....walkthrough import quiz
from ....walkthrough.quiz import Question
from ...app import state
from ...app.messages import escape_markdown, show_errors
from ..attention.look import Look
from .following import chosen_patch
from .sections import patch_number, say, section


def about_sequence(choice: state.Choice, trace: Trace) -> None:
    """Questions on the way from the image to the sequence."""
    _check_yourself(quiz.about_sequence(trace, patch_number(trace, chosen_patch(trace))), choice)


def about_attention(look: Look) -> None:
    """Questions on the head and the patch that are looked at."""
    _check_yourself(quiz.about_attention(look.trace, look.layer, look.head, look.query), look.choice)


@st.fragment
@show_errors()
def _check_yourself(asked: tuple[Question, ...], choice: state.Choice) -> None:
    section("Check yourself", "The answers follow from your image and this model; each choice is explained.")
    right = [_ask(place + 1, question, choice) for place, question in enumerate(asked)]
    st.markdown(f"**{sum(right)} of {len(right)} right**")


def _ask(place: int, question: Question, choice: state.Choice) -> bool:
    """One question, and what there is to say of the answer; whether it is right."""
    say(f"**{place}.** {question.text}")
    chosen = st.radio(
        question.words,
        range(len(question.options)),
        index=None,
        format_func=lambda index: _shown(question.options[index].words),
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
    """What is another number for another question, and for another image: then there is no answer yet."""
    return zlib.crc32(repr((choice.key, question.text, [option.words for option in question.options])).encode())


def _shown(text: str) -> str:
    """Words as they are, in which no line ends within a product or before a %."""
    return escape_markdown(re.sub(r" (?=[×%])|(?<=×) ", "\u00a0", text))
