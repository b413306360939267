"""Attention: one head by hand, from the sequence to what the model returns."""

import numpy as np
import streamlit as st

from vitviz.ui.app import models, shell, state
from vitviz.ui.app.words import plain_errors
from vitviz.ui.components.patches import Overlay
from vitviz.ui.pages.attention import look, lookup, mixing, network, receptive, scores
from vitviz.ui.pages.lesson import questions, summary
from vitviz.ui.pages.lesson.sections import BESIDE, beside_the_text, part, title
from vitviz.ui.widgets import drawing, symbols


@st.fragment
@plain_errors()
def attend(choice: state.Choice) -> None:
    """The whole story; choosing a patch, a layer or a head runs only this again."""
    with st.empty():  # spinners come and go here, and move nothing below
        seen = look.current(choice)
    look.write_address(seen)
    beside, story = beside_the_text()
    with beside:
        follow(seen)
    with story:
        with part("idea"):
            lookup.idea()
            lookup.on_the_image(seen)
        with part("qkv"):
            scores.queries_keys_values(seen)
        with part("scores"):
            scores.scores(seen)
        with part("softmax"):
            scores.shares(seen)
        with part("values"):
            mixing.weighted_sum(seen)
            mixing.all_heads(seen)
            mixing.residual(seen)
        with part("network"):
            network.mlp(seen)
            network.stream(seen)
            network.output(seen)
        with part("reach"):
            receptive.all_at_once(seen)
        with part("questions"):
            questions.about_attention(seen)
        with part("summary"):
            summary.take_home(choice)


def follow(seen: look.Look) -> None:
    """The image beside the text: which layer, head and patch the page is about."""
    look.choose(seen)
    weights = seen.steps.weights[seen.trace.prefix :].reshape(seen.trace.grid).astype(np.float32)
    look.picker(
        seen,
        Overlay(weights, f"Attention weights of {seen.name(seen.query)}, {seen.where}", signed=seen.signed),
        key="attention_picker",
    )


shell.enter("pages/attention.py")
st.html(symbols.style())
st.html(drawing.STYLE)
st.html(BESIDE)
title("Attention", models.about(state.choice().model).config)
attend(state.choice())
