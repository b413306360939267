"""What stands in front of the patches, and how a token knows its place."""

from __future__ import annotations

import numpy as np
import streamlit as st
from PIL import Image

from .... import sequence
from ....trace import Trace
from ... import state
from ...strips import number, strip_html
from ..common import chosen_patch, patch_number, say, section, values_of
from . import cached


def tokens_before(trace: Trace) -> None:
    """5: class token and registers."""
    config = trace.config
    if not config.prefix:
        section(
            "5 · Positions",
            "This model puts no token in front of the patches: its output comes from " + f"{config.pooling_words}.",
        )
        return
    names = config.prefix_names
    which = f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]
    symbol = " ({w_CLS})" if config.class_token else ""
    section(
        "5 · Tokens in front, and positions",
        f"In front of the patches stand learned vectors of {{D}} = {{=D}} numbers: {which}{symbol}. They were trained "
        "with the model and are the same for every image; what becomes of them in the blocks depends on the image. The "
        f"model's output comes from {config.pooling_words}.",
        values_of(trace),
    )
    for name, vector in list(zip(names, sequence.prefix_tokens(trace.model), strict=True))[:5]:
        st.html(strip_html(vector, name, height="1rem"))


def positions(choice: state.Choice, trace: Trace) -> None:
    """5: how a token knows its place."""
    config = trace.config
    if config.learned_positions:
        say(
            f"To every token a learned vector is added that says where it is: {{W_pos}}, {trace.token_count} × {{=D}} "
            "numbers. Neighbours have similar ones. Switch the picture beside this to *similar positions* to see which "
            "places resemble the chosen one.",
            values_of(trace),
        )
        if st.toggle("Show all positions at once", key="all_positions"):
            st.image(
                cached.all_positions(choice),
                caption="One small map for each patch, at its place: the cosine of its position with all others, "
                "from −1 (blue) to 1 (red), as in figure 7 of the ViT paper.",
            )
    if config.rotary is not None:
        say(
            "Queries and keys are turned by angles that grow with row and column (rotary positions): two patches then "
            "score by how far apart they are. Switch the picture beside this to *similar positions* to see how alike "
            "the turns are."
        )
        angles = sequence.rotary_angles(trace.model, trace.grid)[patch_number(trace, chosen_patch(trace))]
        st.html(strip_html(np.sin(angles), "sine of the chosen patch's angles, one a pair of channels", largest=1.0))
    if config.relative_positions:
        say("Each head adds a learned number to a score for the distance of the two patches (relative positions).")
    if not (config.learned_positions or config.rotary or config.relative_positions):
        say("This model is told nothing about where a patch is.")


def shuffling(choice: state.Choice, trace: Trace) -> None:
    """5: why positions matter."""
    st.markdown("**Why positions matter.** Shuffle the patches and let the model look again.")
    if not st.toggle("Shuffle the patches", key="shuffle"):
        return
    seed = st.number_input("Which order?", 1, 1000, 1, key="shuffle_seed")
    result = cached.shuffled(choice, seed)
    left, right = st.columns(2)
    left.image(Image.fromarray(result.pixels), caption="The image in this order.", width="stretch")
    with right:
        st.metric("Cosine, with positions", number(result.with_positions))
        st.metric("Cosine, without any positions", number(result.without_positions))
        st.caption(
            "How alike the model's features of the image as it is and of the shuffled one are, from real forward "
            "passes. Without positions a Transformer sees a set, and a set has no order: the cosine is 1."
        )
