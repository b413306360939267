"""Section 5: prefix tokens and positions."""

from __future__ import annotations

import numpy as np
import streamlit as st

from ....notation.marks import capital, join_words
from ....notation.view import noun_phrase, token_phrase
from ....trace.trace import Trace
from ....walkthrough import sequence
from ...app import state
from ...widgets.strips import number, strip_html
from ..lesson.followed_token import followed_patch, followed_token
from ..lesson.sections import draw_text, patch_number, section, values_of
from . import sequence_data
from .settings import BIAS, ON_PICTURE, POSITIONS, ROTATIONS


def prefix_tokens(trace: Trace) -> None:
    """Draw section 5: prefix tokens."""
    config = trace.config
    if not config.num_prefix_tokens:
        section(
            "5 · Positions",
            "This model puts no token in front of the patches: its output comes from "
            + f"{config.pooling_description}.",
        )
        return
    names = [
        f"{noun_phrase(name)} {{w_CLS}}" if name == "class token" else noun_phrase(name)
        for name in config.prefix_token_names
    ]
    several = len(names) > 1
    section(
        "5 · Prefix tokens and positions",
        f"{capital(join_words(names, 'and'))} {'stand' if several else 'stands'} in front of the patches: {{D}} = "
        f"{{=D}} numbers{' each' * several}, learned in training and fixed at inference. Inside the blocks, "
        f"{'they change' if several else 'it changes'} with the image. The output comes from "
        f"{config.pooling_description}.{_why_registers(trace)}",
        values_of(trace),
    )
    vectors = sequence.prefix_tokens(trace.model)
    largest = float(np.abs(vectors).max())
    with st.expander(f"Numbers of the prefix token{'s' * several}"):
        for name, vector in zip(config.prefix_token_names, vectors, strict=True):
            st.html(strip_html(vector, name, height="1rem", largest=largest))


def _why_registers(trace: Trace) -> str:
    if not any(name.startswith("register") for name in trace.config.prefix_token_names):
        return ""
    return (
        " Registers give the blocks a place for global information, which large models without registers store in a "
        "few patches of the background ([Darcet et al. 2024](https://arxiv.org/abs/2309.16588))."
    )


def positions(choice: state.Choice, trace: Trace) -> None:
    """Draw section 5: position embeddings, RoPE and relative positions."""
    config = trace.config
    if config.position_embedding:
        draw_text(
            "A position embedding, learned in training as well, is added to every token: its row of {W_pos}, "
            "which is "
            f"{trace.token_count} × {{=D}}.{_interpolated(trace)}{_without_position(trace)}",
            values_of(trace),
        )
        with st.container(horizontal=True, vertical_alignment="center"):
            _show_on_picture(POSITIONS, "Show similar positions")
            compared = st.toggle("Compare all positions", key="all_positions")
        if compared:
            st.image(
                sequence_data.all_positions(choice),
                caption="A small map for each patch: the cosine between its position embedding and all others, from −1 "
                "(blue) to 1 (red), as in figure 7 of the ViT paper.",
                alt="Similarity of every learned position to all others",
            )
    if config.rope is not None:
        own = config.rope.per_layer
        draw_text(
            "Queries and keys are rotated by angles that are linear in row and column (RoPE). The score then also "
            "depends on the offset between the two patches: how far, and in which direction."
            f"{' Each head of each layer has angles of its own; those of layer 1, head 1 are shown.' * own}"
        )
        if followed_token(trace) >= trace.prefix:
            _show_on_picture(ROTATIONS, "Show similar rotations")
            angles = sequence.rotary_angles(trace.model, trace.grid)[patch_number(trace, followed_patch(trace))]
            st.html(strip_html(np.sin(angles), "sine of the patch's angles, one for a pair of channels", largest=1.0))
        else:
            st.markdown(f"{capital(token_phrase(trace, followed_token(trace)))} is not rotated.")
    if config.relative_position_bias:
        draw_text(
            "Each head adds a learned number to a score, one for each relative position of the two patches. It depends "
            f"on the offset, direction included:{_both_directions(trace)}"
        )
        _show_on_picture(BIAS, "Show these numbers")
    if not (config.position_embedding or config.rope or config.relative_position_bias):
        draw_text("This model has no information on the positions of the patches.")


def _show_on_picture(kind: str, label: str) -> None:
    """Draw a button that shows a map on the picture beside the text."""
    st.button(label, key=f"show_{kind.replace(' ', '_')}", on_click=ON_PICTURE.set, args=(kind,))


def _interpolated(trace: Trace) -> str:
    """Return a sentence on the interpolation of the position embeddings to this grid; empty if there is none."""
    if trace.grid == trace.config.grid:
        return ""
    (rows, columns), (now_rows, now_columns) = trace.config.grid, trace.grid
    return f" Trained for {rows} × {columns} patches, it is interpolated to these {now_rows} × {now_columns}."


def _without_position(trace: Trace) -> str:
    """Return a sentence on prefix tokens whose position embedding is zero; empty if there are none."""
    placed = sequence.position_embedding(trace.model, trace.grid)[: trace.prefix].any(axis=1)
    without = [name for name, has in zip(trace.config.prefix_token_names, placed, strict=True) if not has]
    if not without:
        return ""
    they = "they have" if len(without) > 1 else "it has"
    return f" For {join_words(map(noun_phrase, without), 'and')}, it is zero: {they} no position in the image."


def _both_directions(trace: Trace) -> str:
    """Return the biases of the first head for two opposite offsets; empty if the grid has no neighbours."""
    rows, columns = trace.grid
    if columns < 2:
        return " opposite offsets have numbers of their own."
    row = rows // 2
    left, right = (
        sequence.relative_bias(trace.model, trace.grid, trace.prefix + row * columns + query)[row, key]
        for query, key in ((1, 0), (0, 1))
    )
    return f" one patch to the right {number(float(right))}, one to the left {number(float(left))} (layer 1, head 1)."
