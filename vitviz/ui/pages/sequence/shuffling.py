"""Section 5: effect of shuffled patches, predicted before it is computed."""

from __future__ import annotations

import streamlit as st

from ....images import as_picture
from ....model.config import ViTConfig
from ....trace.trace import Trace
from ....walkthrough.sequence import Shuffled
from ...app import state
from ...widgets.strips import number
from ..lesson.prediction import SKIPPED, predicted
from . import sequence_data

SAME, SIMILAR, DIFFERENT = "stays the same", "changes a little", "changes a lot"
EQUAL = 0.9999  # cosine from which two features are called the same
CLOSE = 0.9


def shuffling(choice: state.Choice, trace: Trace) -> None:
    """Draw section 5: effect of shuffled patches."""
    config = trace.config
    with st.container(key="shuffle"):
        model = "Imagine a model without positions," if has_positions(config) else "This model has no positions;"
        st.markdown(f"**Why positions matter.** {model} and shuffle the patches.")
        guess = predicted("shuffle", "The model's output …", (SAME, SIMILAR, DIFFERENT), choice.key)
        answer = st.container(key="shuffle_answer")
    if guess is None:
        return
    left, right = st.columns(2)
    with right:
        seed = st.number_input("Permutation", 1, 1000, 1, key="shuffle_seed")
        result = sequence_data.shuffled(choice, seed)
        if has_positions(config):
            st.metric("Without positions", number(result.without_positions))
            st.metric("With positions, as trained", number(result.with_positions))
        else:
            st.metric("The model itself", number(result.with_positions))
    order = (
        "The order of the patches. What is shuffled are the features of the convolutional network."
        if config.stem
        else "The shuffled image."
    )
    left.image(as_picture(result.pixels), caption=order, alt="The image with its patches shuffled", width="stretch")
    st.caption("Cosine between the features of the original and the shuffled image, from real forward passes.")
    answer.markdown(verdict(guess, result))


def has_positions(config: ViTConfig) -> bool:
    """Return True if the blocks of a model have any information on the positions of the patches."""
    return config.position_embedding or config.rope is not None or config.relative_position_bias


def verdict(guess: str, result: Shuffled) -> str:
    """Compare the user's prediction with the measured effect, as Markdown."""
    measured = effect(result.without_positions)
    told = "It" if guess == SKIPPED else "Right: it" if guess == measured else f"Your prediction: {guess}. It"
    set_of = " A Transformer without positions processes a set, and a set has no order." if measured == SAME else ""
    return f"{told} **{measured}**.{set_of}"


def effect(cosine: float) -> str:
    """Describe the effect of shuffling by the cosine of the features."""
    return SAME if cosine >= EQUAL else SIMILAR if cosine >= CLOSE else DIFFERENT
