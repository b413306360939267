"""The page "Image to sequence": from the image to the token sequence that enters the first block."""

from __future__ import annotations

import numpy as np
import streamlit as st

from ....trace.trace import Trace
from ....walkthrough import sequence
from ...app import models, shell, state
from ...components.patches import Overlay, patch_picker
from ...widgets import drawing, pictures, symbols
from ...widgets.strips import number
from ..lesson import overview, questions, summary
from ..lesson.followed_token import follow_patch, followed_patch
from ..lesson.sections import BESIDE, Patch, beside_the_text, part, patch_number, title
from . import pixels, positions, projection, rows, sequence_data, splitting
from .settings import ON_PICTURE, PATCHES, POSITIONS, TURNS


def draw() -> None:
    """Draw the page."""
    st.html(symbols.style())
    st.html(drawing.STYLE + pictures.STYLE + splitting.STYLE)
    st.html(BESIDE)
    title("From image to sequence", models.describe(state.choice().model).config)
    overview.draw_map("sequence")
    draw_sections(state.choice())


def picture(choice: state.Choice, trace: Trace) -> None:
    """Draw the image that stays beside the text."""
    patch, config = followed_patch(trace), trace.config
    kinds = [PATCHES, *[POSITIONS] * config.position_embedding, *[TURNS] * (config.rope is not None)]
    shown = ON_PICTURE.draw(
        st.segmented_control, "On the picture", kinds, context=kinds, width="stretch", required=True
    )
    overlays = {POSITIONS: similar_positions, TURNS: similar_rotations}
    patch_picker(
        state.picture(choice),
        choice.picked.name,
        trace.grid,
        patch,
        on_choose=follow_patch,
        overlay=overlays[shown](trace, patch) if shown in overlays else None,
        key="sequence_picture",
    )


def similar_positions(trace: Trace, patch: Patch) -> Overlay:
    """Return the similarity of the chosen patch's position embedding to all others."""
    similar = sequence.position_similarity(trace.model, trace.grid, trace.prefix + patch_number(trace, patch))
    return similarity(similar[trace.prefix :].reshape(trace.grid), "Cosine of the chosen patch's learned position")


def similar_rotations(trace: Trace, patch: Patch) -> Overlay:
    """Return the similarity of the chosen patch's rotary angles to all others."""
    similar = sequence.rotary_similarity(trace.model, trace.grid, patch_number(trace, patch))
    where = " (layer 1, head 1)" if trace.config.rope.per_layer else ""
    return similarity(similar, f"Mean cosine of the difference of rotary angles{where}")


def similarity(values: np.ndarray, label: str) -> Overlay:
    """Return a map of cosines with the chosen patch."""
    return Overlay(values.astype(np.float32), f"{label} with all others", signed=True, largest=1.0, format=number)


@shell.fragment
def draw_sections(choice: state.Choice) -> None:
    """Draw all sections; choosing a patch reruns only this fragment."""
    with st.empty():  # placeholder for spinners, so that nothing below moves
        trace = sequence_data.embedded_trace(choice)
    beside, text = beside_the_text()
    with beside:
        picture(choice, trace)
    with text:
        with part("input"):
            pixels.the_input(choice, trace)
        with part("splitting"):
            splitting.splitting(choice, trace)
        with part("flattening"):
            pixels.flattening(trace)
        with part("projection"):
            projection.projecting(choice, trace)
        with part("positions"):
            positions.prefix_tokens(trace)
            positions.positions(choice, trace)
            positions.shuffling(choice, trace)
        with part("sequence"):
            rows.the_sequence(choice, trace)
        with part("what_if"):
            splitting.what_if(choice)
        with part("questions"):
            questions.about_sequence(choice, trace)
        with part("summary"):
            summary.take_home(choice)
        overview.link_to("attention", "Next")
