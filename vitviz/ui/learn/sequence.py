"""Image to sequence: how a picture becomes the rows of numbers that a Transformer works on."""

from __future__ import annotations

import numpy as np
import streamlit as st
from PIL import Image

from ... import sequence
from ...checks import Check
from ...trace import Trace
from .. import state
from ..strips import number, numbers, strip_html
from . import records
from .common import by_hand, chosen_patch, patch_number, say, section, values_of
from .pictures import CHANNELS, channel_picture, enlarged, figures_html, framed, pointer_html


def the_input(choice: state.Choice, trace: Trace) -> None:
    """1: what the model sees of the photo."""
    section(
        "1 · The input",
        "Transformers work on sequences: of words, of measurements in time, or of patches of an image. This model "
        "takes images of {H} × {W} × {C} = {=H} × {=W} × {=C} numbers.",
        values_of(trace),
    )
    left, right = st.columns(2)
    left.image(records.cut_photo(choice), caption="The photo. Grey: removed by the fit.")
    preprocessing = trace.model.preprocessing
    right.markdown("Each channel is shifted and scaled with numbers that are fixed since training:")
    pixels = trace.pixels()
    right.table(
        {
            "channel": ["red", "green", "blue"],
            "mean": [number(255 * mean, 1) for mean in preprocessing.mean],
            "deviation": [number(255 * std, 1) for std in preprocessing.std],
            "becomes": [f"{number(p.min(), 2)} to {number(p.max(), 2)}" for p in pixels],
        }
    )
    raw, first = int(trace.image.pixels[0, 0, 0]), float(pixels[0, 0, 0])
    mean, std = 255 * preprocessing.mean[0], 255 * preprocessing.std[0]
    right.markdown(f"Red of the first pixel: ({raw} − {number(mean, 1)}) / {number(std, 1)}")
    with right:
        by_hand(Check("first number of the input", (raw - mean) / std, first, pixels))


def flattening(trace: Trace) -> None:
    """3: a patch as one vector."""
    if trace.config.stem:
        section(
            "3 · No flattening",
            "In most Vision Transformers the pixels of a patch become one vector now. Here a convolutional network "
            "reads the image as a whole first, and what it sees of neighbouring squares overlaps.",
        )
        return
    patch = patch_number(trace, chosen_patch(trace))
    raw, pixels = sequence.patch_pixels(trace, patch)
    side, channels = trace.config.patch, trace.config.channels
    section(
        "3 · Flattening",
        "The chosen patch is {P} × {P} × {C} numbers. They are written one after the other, row by row, "
        "the channels of a pixel together: one vector of 1 × {P}²{C} = 1 × " + f"{side * side * channels}.",
        values_of(trace),
    )
    vector = sequence.flattened(pixels)
    drawn = st.container()  # what the slider marks stands above it
    index = st.slider("Which number of the vector?", 1, len(vector), 1, key="vector_index") - 1
    row, column, channel = sequence.place_of(index, side, channels)
    with drawn:
        shown = [(framed(enlarged(Image.fromarray(raw)), row, column, side), "pixels")]
        for at, name in enumerate(CHANNELS[:channels]):
            picture = channel_picture(raw, at)
            shown.append((framed(picture, row, column, side) if at == channel else picture, name))
        st.html(figures_html(shown))
        st.html(pointer_html(index, len(vector), f"number {index + 1}: {CHANNELS[channel]}"))
        st.html(strip_html(vector, "patch as one vector, normalised"))
        st.markdown(f"Its first numbers: {numbers(vector)}")
    st.markdown(
        f"Number {index + 1} is the {CHANNELS[channel]} of the pixel in row {row + 1}, column {column + 1} of the "
        f"patch (with a frame): **{number(vector[index])}**."
    )


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
                records.all_positions(choice),
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
    result = records.shuffled(choice, seed)
    left, right = st.columns(2)
    left.image(Image.fromarray(result.pixels), caption="The image in this order.", width="stretch")
    with right:
        st.metric("Cosine, with positions", number(result.with_positions))
        st.metric("Cosine, without any positions", number(result.without_positions))
        st.caption(
            "How alike the model's features of the image as it is and of the shuffled one are, from real forward "
            "passes. Without positions a Transformer sees a set, and a set has no order: the cosine is 1."
        )
