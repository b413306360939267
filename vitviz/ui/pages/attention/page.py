"""The page "Attention": one head by hand, from the sequence to the model output."""

from __future__ import annotations

import numpy as np
import streamlit as st

from ...app import models, shell, state
from ...components.patches import Overlay
from ...widgets import drawing, symbols
from ..lesson import overview, questions, summary
from ..lesson.sections import BESIDE, beside_the_text, part, title
from . import head_view, lookup, mixing, network, receptive, scores


def draw() -> None:
    """Draw the page."""
    st.html(symbols.style())
    st.html(drawing.STYLE)
    st.html(BESIDE)
    title("Attention", models.describe(state.choice().model).config)
    overview.draw_map("attention")
    attend(state.choice())


@shell.fragment
def attend(choice: state.Choice) -> None:
    """Draw all sections; choosing a patch, a layer or a head reruns only this fragment."""
    with st.empty():  # placeholder for spinners, so that nothing below moves
        view = head_view.current(choice)
    beside, story = beside_the_text()
    with beside:
        follow(view)
    with story:
        with part("idea"):
            lookup.idea()
            lookup.on_the_image(view)
        with part("qkv"):
            scores.queries_keys_values(view)
        with part("scores"):
            scores.scores(view)
        with part("softmax"):
            scores.shares(view)
        with part("values"):
            mixing.weighted_sum(view)
            mixing.all_heads(view)
            mixing.residual(view)
        with part("network"):
            network.mlp(view)
            network.stream(view)
            network.output(view)
        with part("reach"):
            receptive.all_at_once(view)
        with part("questions"):
            questions.about_attention(view)
        with part("summary"):
            summary.take_home(choice)
        overview.link_to("sequence", "Back")


def follow(view: head_view.HeadView) -> None:
    """Draw the image beside the text, with the chosen layer, head and patch."""
    head_view.choose(view)
    weights = view.steps.weights[view.trace.prefix :].reshape(view.trace.grid).astype(np.float32)
    head_view.picker(
        view,
        Overlay(weights, f"Attention weights of {view.name(view.query)}, {view.head_label}", signed=view.signed),
        key="attention_picker",
    )
