"""Image to sequence: how a picture becomes the rows of numbers that a Transformer works on."""

from __future__ import annotations

import numpy as np
import streamlit as st
from PIL import Image

from ... import sequence
from ...checks import Check
from ...picture import original_with_crop
from ...trace import Trace
from .. import state, symbols
from ..strips import number, numbers, strip_html
from . import records
from .common import by_hand, chosen_patch, patch_number, say, section, values_of
from .pictures import SIDE, channel_picture, enlarged, filter_picture, signed_picture

PATCH_SIDES = (8, 14, 16, 32)


def the_input(choice: state.Choice, trace: Trace) -> None:
    """1: what the model sees of the photo."""
    section(
        "1 · The input",
        "Transformers work on sequences: of words, of measurements in time, or of patches of an image. This model "
        "takes images of {H} × {W} × {C} = {=H} × {=W} × {=C} numbers.",
        values_of(trace),
    )
    left, right = st.columns(2)
    left.image(original_with_crop(state.photo(choice), trace.image), caption="The photo. Grey: removed by the fit.")
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


def splitting(trace: Trace) -> None:
    """2: patches."""
    rows, columns = trace.grid
    section(
        "2 · Splitting",
        "The image is cut into squares of {P} × {P} = {=P} × {=P} pixels. Point at the picture to see one, click to "
        "choose the one that this page follows. With the keyboard: arrows move, Enter chooses.",
        values_of(trace),
    )
    st.latex(symbols.formula(r"@N = \frac{@H\,@W}{@P^2} = \frac{@=H \cdot @=W}{@=P^2} = @=N", values_of(trace)))
    row, column = chosen_patch(trace)
    st.markdown(
        f"{rows} rows of {columns} patches. The chosen one is number {patch_number(trace, (row, column)) + 1}, "
        f"in row {row + 1}, column {column + 1}."
    )


def flattening(trace: Trace) -> None:
    """3: a patch as one vector."""
    patch = patch_number(trace, chosen_patch(trace))
    raw, pixels = sequence.patch_pixels(trace, patch)
    side, channels = trace.config.patch, trace.config.channels
    section(
        "3 · Flattening",
        "The chosen patch is {P} × {P} × {C} numbers. They are written one after the other, row by row, "
        "the channels of a pixel together: one vector of 1 × {P}²{C} = 1 × " + f"{side * side * channels}.",
        values_of(trace),
    )
    shown = st.columns(1 + channels)
    shown[0].image(enlarged(Image.fromarray(raw), SIDE // 2), caption="pixels")
    for channel, name in enumerate(("red", "green", "blue")[:channels]):
        shown[1 + channel].image(channel_picture(raw, channel), caption=name)
    vector = sequence.flattened(pixels)
    st.html(strip_html(vector, "patch as one vector, normalised"))
    st.markdown(f"Its first numbers: {numbers(vector)}")
    index = st.slider("Which number of the vector?", 1, len(vector), 1, key="vector_index") - 1
    row, column, channel = sequence.place_of(index, side, channels)
    st.markdown(
        f"Number {index + 1} is the {('red', 'green', 'blue')[channel]} of the pixel in row {row + 1}, column "
        f"{column + 1} of the patch: **{number(vector[index])}**."
    )


def projecting(choice: state.Choice, trace: Trace) -> None:
    """4: the linear projection."""
    if trace.config.stem:
        section(
            "4 · A network in place of the projection",
            "This model is a hybrid: a convolutional network looks at the image first, and a token is one place of its "
            "result. There is no single matrix from the pixels of a patch to the {D} = {=D} numbers of its token.",
            values_of(trace),
        )
        return
    size = trace.config.patch**2 * trace.config.channels
    section(
        "4 · Linear projection",
        "The vector is multiplied with a learned matrix {W_LP} of " + f"{size} × " + "{=D} numbers. Each of its {D} "
        "columns is a filter: as large as a patch, and drawn as one here. A token's number says how much of that "
        "filter is in the patch.",
        values_of(trace),
    )
    sheet, shares = records.component_sheet(choice)
    left, right = st.columns(2)
    left.image(records.filter_sheet(choice), caption=f"All {trace.config.width} filters; grey is 0.")
    right.image(
        sheet,
        caption=f"Their {len(shares)} principal components, which hold {100 * shares.sum():.0f} % of their variance "
        "(as in figure 7 of the ViT paper).",
    )
    dimension = st.slider("Which number of the token?", 1, trace.config.width, 1, key="dimension") - 1
    made = sequence.project(trace, patch_number(trace, chosen_patch(trace)), dimension)
    _product(made)
    st.markdown(f"Sum of all products {number(made.sum)}, plus the bias {number(made.bias)} = **{number(made.total)}**")
    for check in made.checks.values():
        by_hand(check)


def _product(made: sequence.Projected) -> None:
    """Patch times filter, number by number, summed over the channels so that it can be drawn."""
    one, times, two, equals, three = st.columns([4, 1, 4, 1, 4], vertical_alignment="center")
    one.image(signed_picture(made.pixels.mean(axis=-1), SIDE // 2), caption="patch, mean of the channels")
    times.markdown("### ×")
    two.image(enlarged(Image.fromarray(filter_picture(made.filter[None])[0]), SIDE // 2), caption="filter")
    equals.markdown("### =")
    three.image(signed_picture(made.products.sum(axis=-1), SIDE // 2), caption="products, summed over channels")


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


def what_if(trace: Trace) -> None:
    """Arithmetic for other patch sizes."""
    st.subheader("What if patches were larger or smaller?", anchor=False)
    st.caption("Arithmetic only: a model with another patch size would be another model.")
    height, width = (side * trace.config.patch for side in trace.grid)
    more = {"channels": trace.config.channels, "token_width": trace.config.width, "prefix": trace.prefix}
    now = sequence.what_if(height, width, trace.config.patch, **more)
    sides = sorted({*PATCH_SIDES, trace.config.patch})
    sizes = [sequence.what_if(height, width, side, **more) for side in sides if side <= min(height, width)]
    st.table(
        {
            "P": [f"{size.patch} (this model)" if size.patch == now.patch else str(size.patch) for size in sizes],
            "grid": [f"{size.grid[0]} × {size.grid[1]}" for size in sizes],
            "N": [f"{size.patches:,}" for size in sizes],
            "numbers of a patch": [f"{size.vector:,}" for size in sizes],
            "attention weights of a head": [f"{size.attention_weights:,}" for size in sizes],
            "cost": [f"× {size.cost(now):.3g}" for size in sizes],
        }
    )
