"""The page "Image to sequence": from the image to the token sequence that enters the first block."""

from __future__ import annotations

import numpy as np
import streamlit as st

from ....notation.view import token_label
from ....trace.trace import Trace
from ....walkthrough import sequence
from ...app import models, shell, state
from ...components.patches import Overlay, patch_picker
from ...widgets import drawing, pictures, symbols
from ...widgets.strips import number
from ..lesson import overview, questions, summary
from ..lesson.followed_token import follow_patch, followed_patch, followed_token
from ..lesson.sections import BESIDE, beside_the_text, part, title
from . import following, pixels, positions, projection, rows, sequence_data, shuffling, splitting, what_if
from .settings import BIAS, ON_PICTURE, PATCHES, POSITIONS, RESPONSES, ROTATIONS


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
    following.choose_followed(trace)
    token, kinds = followed_token(trace), kinds_of_maps(trace)
    shown = ON_PICTURE.draw(st.pills, "On the picture", kinds, context=kinds, required=True)
    patch_picker(
        state.picture(choice),
        choice.picked.name,
        trace.grid,
        followed_patch(trace) if token >= trace.prefix else None,
        on_choose=follow_patch,
        overlay=overlay(trace, shown, token),
        key="sequence_picture",
    )


def kinds_of_maps(trace: Trace) -> list[str]:
    """Return the maps that exist for this model and the followed token; prefix tokens are not rotated."""
    config = trace.config
    has = {
        PATCHES: True,
        RESPONSES: not config.stem,
        POSITIONS: config.position_embedding,
        ROTATIONS: config.rope is not None and followed_token(trace) >= trace.prefix,
        BIAS: config.relative_position_bias,
    }
    return [kind for kind, exists in has.items() if exists]


def overlay(trace: Trace, kind: str, token: int) -> Overlay | None:
    """Return a map for the followed token; None for the picture alone."""
    if kind == RESPONSES:
        return projection.responses(trace, rows.chosen_dimension(trace))
    maps = {POSITIONS: similar_positions, ROTATIONS: similar_rotations, BIAS: position_bias}
    return maps[kind](trace, token) if kind in maps else None


def similar_positions(trace: Trace, token: int) -> Overlay:
    """Return the similarity of a token's position embedding to those of all patches."""
    similar = sequence.position_similarity(trace.model, trace.grid, token)[trace.prefix :].reshape(trace.grid)
    return similarity(similar, f"Cosine of position embeddings, {token_label(trace, token)} with each patch")


def similar_rotations(trace: Trace, token: int) -> Overlay:
    """Return the similarity of a patch's rotary angles to all others."""
    similar = sequence.rotary_similarity(trace.model, trace.grid, token - trace.prefix)
    where = " (layer 1, head 1)" if trace.config.rope.per_layer else ""
    return similarity(similar, f"Mean cosine of the difference of rotary angles{where}")


def position_bias(trace: Trace, token: int) -> Overlay:
    """Return the learned numbers that the first head adds to the scores of a query."""
    values = sequence.relative_bias(trace.model, trace.grid, token)
    label = f"Added to the score of each patch as key, query: {token_label(trace, token)} (layer 1, head 1)"
    return Overlay(values, label, signed=True, format=number)


def similarity(values: np.ndarray, label: str) -> Overlay:
    """Return a map of cosines."""
    return Overlay(values.astype(np.float32), label, signed=True, largest=1.0, format=number)


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
            shuffling.shuffling(choice, trace)
        with part("sequence"):
            rows.the_sequence(choice, trace)
        with part("what_if"):
            what_if.what_if(choice)
        with part("questions"):
            questions.about_sequence(choice, trace)
        with part("summary"):
            summary.take_home(choice)
        overview.link_to("attention", "Next")
