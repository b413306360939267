"""The page "Attention": one head by hand, from the sequence to the model output."""

from __future__ import annotations

import numpy as np
import streamlit as st

from ...app import models, shell, state
from ...components.patches import Overlay
from ...widgets import drawing, symbols
from ...widgets.strips import number
from ..lesson import overview, questions, summary
from ..lesson.sections import BESIDE, beside_the_text, part, title
from . import head_view, lookup, mixing, network, on_image, output, qkv, receptive, scores, softmax


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
    with story, part("idea"):
        lookup.idea()
        seen = on_image.on_the_image(view)
    with beside:
        follow(view, seen)
    with story:
        with part("qkv"):
            qkv.queries_keys_values(view)
        with part("scores"):
            scores.scores(view)
        with part("softmax"):
            softmax.weights(view)
        with part("values"):
            mixing.weighted_sum(view)
            mixing.all_heads(view)
            mixing.residual(view)
        with part("network"):
            network.mlp(view)
            network.stream(view)
        with part("output"):
            output.output(view)
        with part("reach"):
            receptive.all_at_once(view)
        with part("questions"):
            questions.about_attention(view)
        with part("summary"):
            summary.take_home(choice)
        overview.link_to("sequence", "Back")


def follow(view: head_view.HeadView, seen: bool) -> None:
    """Draw the image beside the text, with the chosen layer, head and tokens.

    Args:
        view: the view.
        seen: whether the weights are shown; not while the user predicts them.
    """
    head_view.choose(view)
    overlay = None
    if seen:
        weights = view.steps.weights[view.trace.prefix :].reshape(view.trace.grid).astype(np.float32)
        caption = f"Attention weights of {view.name(view.query)}, {view.head_label}"
        overlay = Overlay(weights, caption, signed=view.signed)
    head_view.picker(view, overlay, key="attention_picker", shows_key=seen)  # the strongest key is the answer
    if view.opened:
        with st.container(key="opened_by_rule"), st.expander("Why this head?"):
            st.caption(opened_by(view))


def opened_by(view: head_view.HeadView) -> str:
    """Return the rule by which the lesson has opened on this head, with its numbers."""
    clear, layers = view.opened, view.trace.layers
    last = f"layers {clear.first_layer + 1} to {layers}" if clear.first_layer + 1 < layers else f"layer {layers}"
    patch = "a patch" if view.patch is None else "another patch"
    which = f" whose strongest key is {patch}" if clear.to_another_patch else ""
    absolute = " of their absolute values" if view.signed else ""
    return (
        f"Opened on {view.head_label}: of the heads of {last}{which}, it has the most concentrated weights for "
        f"{view.the(view.query)} (lowest entropy{absolute}: {number(clear.entropy, 1)} bit; uniform: "
        f"{number(float(np.log2(view.trace.token_count)), 1)})."
    )
