"""Section 5: prefix tokens and positions."""

from __future__ import annotations

import numpy as np
import streamlit as st

from ....images import as_picture
from ....notation.marks import join_words
from ....trace.trace import Trace
from ....walkthrough import sequence
from ...app import state
from ...widgets.strips import number, strip_html
from ..lesson.followed_token import followed_patch
from ..lesson.sections import draw_text, patch_number, section, values_of
from . import sequence_data


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
    names = [f"{name} ({{w_CLS}})" if name == "class token" else name for name in config.prefix_token_names]
    which = join_words(names, "and")
    section(
        "5 · Tokens in front, and positions",
        f"In front of the patches stand learned vectors of {{D}} = {{=D}} numbers: {which}. They were trained "
        "with the model and are the same for every image; what becomes of them in the blocks depends on the image. The "
        f"model's output comes from {config.pooling_description}.",
        values_of(trace),
    )
    for name, vector in list(zip(config.prefix_token_names, sequence.prefix_tokens(trace.model), strict=True))[:5]:
        st.html(strip_html(vector, name, height="1rem"))


def positions(choice: state.Choice, trace: Trace) -> None:
    """Draw section 5: position embeddings, RoPE and relative positions."""
    config = trace.config
    if config.position_embedding:
        placed = sequence.position_embedding(trace.model, trace.grid)[: trace.prefix].any(axis=1)
        without = [name for name, has in zip(config.prefix_token_names, placed, strict=True) if not has]
        none = f" Those of {join_words(without, 'and')} are zeros: no place on the image is theirs." if without else ""
        draw_text(
            f"To every token a learned vector is added that says where it is: {{W_pos}}, {trace.token_count} × {{=D}} "
            f"numbers.{none} Neighbours have similar ones. Switch the picture to *similar positions* to see which "
            "places resemble the chosen one.",
            values_of(trace),
        )
        if st.toggle("Show all positions at once", key="all_positions"):
            st.image(
                sequence_data.all_positions(choice),
                caption="One small map for each patch, at its place: the cosine of its position with all others, "
                "from −1 (blue) to 1 (red), as in figure 7 of the ViT paper.",
                alt="Similarity of every learned position to all others",
            )
    if config.rope is not None:
        own = config.rope.per_layer
        draw_text(
            "Queries and keys are turned by angles that grow with row and column (rotary positions): two patches then "
            f"score by how far apart they are. Switch the picture to *similar turns* to see how alike the turns are."
            f"{' Each head of each layer has angles of its own; shown are those of layer 1, head 1.' * own}"
        )
        angles = sequence.rotary_angles(trace.model, trace.grid)[patch_number(trace, followed_patch(trace))]
        st.html(strip_html(np.sin(angles), "sine of the chosen patch's angles, one a pair of channels", largest=1.0))
    if config.relative_position_bias:
        draw_text(
            "Each head adds a learned number to a score for the distance of the two patches (relative positions)."
        )
    if not (config.position_embedding or config.rope or config.relative_position_bias):
        draw_text("This model has no information on the positions of the patches.")


def shuffling(choice: state.Choice, trace: Trace) -> None:
    """Draw section 5: effect of shuffled patches."""
    st.markdown("**Why positions matter.** Shuffle the patches and let the model look again.")
    if not st.toggle("Shuffle the patches", key="shuffle"):
        return
    seed = st.number_input("Which order?", 1, 1000, 1, key="shuffle_seed")
    result = sequence_data.shuffled(choice, seed)
    left, right = st.columns(2)
    order = (
        "The order, drawn with the image. What is shuffled is what the network in front made of each square."
        if trace.config.stem
        else "The image in this order."
    )
    left.image(as_picture(result.pixels), caption=order, alt="The image with its patches shuffled", width="stretch")
    with right:
        st.metric("Cosine, with positions", number(result.with_positions))
        st.metric("Cosine, without any positions", number(result.without_positions))
        st.caption(
            "How alike the model's features of the image as it is and of the shuffled one are, from real forward "
            "passes. Without positions a Transformer sees a set, and a set has no order: the cosine is 1."
        )
