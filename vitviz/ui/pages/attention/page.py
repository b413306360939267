"""The page "Attention": one head by hand, from the sequence to what the model returns."""

from __future__ import annotations

import numpy as np
import streamlit as st

from ...app import models, shell, state
from ...components.patches import Overlay
from ...widgets import drawing, symbols
from ..lesson import questions, summary
from ..lesson.sections import BESIDE, beside_the_text, part, title
from . import look, lookup, mixing, network, receptive, scores


def draw() -> None:
    """Draw the page."""
    st.html(symbols.style())
    st.html(drawing.STYLE)
    st.html(BESIDE)
    title("Attention", models.describe(state.choice().model).config)
    attend(state.choice())


@shell.fragment
def attend(choice: state.Choice) -> None:
    """The whole story; choosing a patch, a layer or a head runs only this again."""
    with st.empty():  # spinners come and go here, and move nothing below
        seen = look.current(choice)
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
