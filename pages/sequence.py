"""Image to sequence: one scrolling story from the photo to the rows of numbers that enter the first block."""

import numpy as np
import streamlit as st

from vitviz import sequence
from vitviz.trace import Trace
from vitviz.ui import shell, state, symbols
from vitviz.ui.learn import drawing, pictures, questions, summary
from vitviz.ui.learn.common import BESIDE, beside_the_text, choose_patch, chosen_patch, part, patch_number
from vitviz.ui.learn.sequence import cached, cutting, pixels, places, projecting, rows
from vitviz.ui.patches import Overlay, patch_picker
from vitviz.ui.strips import number
from vitviz.ui.words import plain_errors

PATCHES, SIMILAR = "patches", "similar positions"


def picture(choice: state.Choice, trace: Trace) -> None:
    """The picture that stays beside the text."""
    patch = chosen_patch(trace)
    kinds = [PATCHES, SIMILAR] if trace.config.learned_positions or trace.config.rotary else [PATCHES]
    shown = st.segmented_control("On the picture", kinds, default=PATCHES, key="on_picture", width="stretch")
    patch_picker(
        state.picture(choice),
        choice.picked.name,
        trace.grid,
        patch,
        on_choose=choose_patch,
        overlay=similar_positions(trace, patch) if shown == SIMILAR else None,
        key="sequence_picture",
    )


def similar_positions(trace: Trace, patch: tuple[int, int]) -> Overlay:
    """How alike the chosen place is to all others."""
    index = patch_number(trace, patch)
    if trace.config.learned_positions:
        similar = sequence.position_similarity(trace.model, trace.grid, trace.prefix + index)[trace.prefix :]
        words = "Cosine of the chosen patch's learned position with all others"
    else:
        similar = sequence.rotary_similarity(trace.model, trace.grid, index).ravel()
        words = "Mean cosine of the difference of rotary angles"
    values = np.asarray(similar, dtype=np.float32).reshape(trace.grid)
    return Overlay(values, words, signed=True, largest=1.0, say=number)


@st.fragment
@plain_errors()
def tell(choice: state.Choice) -> None:
    """The whole story; choosing a patch runs only this again."""
    with st.empty():  # a spinner comes and goes here, and moves nothing below
        trace = cached.embedded_trace(choice)
    beside, text = beside_the_text()
    with beside:
        picture(choice, trace)
    with text:
        with part("input"):
            pixels.the_input(choice, trace)
        with part("splitting"):
            cutting.splitting(choice, trace)
        with part("flattening"):
            pixels.flattening(trace)
        with part("projection"):
            projecting.projecting(choice, trace)
        with part("positions"):
            places.tokens_before(trace)
            places.positions(choice, trace)
            places.shuffling(choice, trace)
        with part("sequence"):
            rows.the_sequence(choice, trace)
        with part("what_if"):
            cutting.what_if(choice)
        with part("questions"):
            questions.about_sequence(choice, trace)
        with part("summary"):
            summary.take_home(choice)


shell.enter("pages/sequence.py")
shell.write_address()
st.html(symbols.style())
st.html(drawing.STYLE + pictures.STYLE + cutting.STYLE)
st.html(BESIDE)
st.title("From image to sequence", anchor=False)
tell(state.choice())
