"""Sections 1 and 3: the model input, and a patch as one vector."""

from __future__ import annotations

import streamlit as st

from ....images import as_picture
from ....trace.trace import Trace
from ....walkthrough import sequence
from ....walkthrough.checks import Check
from ...app import state
from ...widgets.pictures import channel_names, channel_picture, enlarged, figures_html, framed, pointer_html
from ...widgets.strips import number, numbers, strip_html
from ...widgets.sums import round_consistently
from ..lesson.followed_token import followed_patch
from ..lesson.sections import draw_check, patch_number, section, values_of
from . import sequence_data
from .settings import INDEX


def the_input(choice: state.Choice, trace: Trace) -> None:
    """Draw section 1: the model input."""
    section(
        "1 · The input",
        "Transformers work on sequences: of words, of measurements in time, or of patches of an image. This model "
        "takes images of {H} × {W} × {C} = {=H} × {=W} × {=C} numbers.",
        values_of(trace),
    )
    left, right = st.columns(2)
    left.image(
        sequence_data.image_with_crop(choice),
        caption="The image. Grey: removed by the fit.",
        alt=f"The image {choice.picked.name}, in grey where the fit removes it",
    )
    preprocessing = trace.model.preprocessing
    names = channel_names(trace.config.in_chans)
    right.markdown("Each channel is shifted and scaled with numbers that are fixed since training:")
    pixels = trace.pixels()
    right.table(
        {
            "channel": names,
            "mean": [number(255 * mean, 1) for mean in preprocessing.mean],
            "deviation": [number(255 * std, 1) for std in preprocessing.std],
            "becomes": [f"{number(p.min(), 2)} to {number(p.max(), 2)}" for p in pixels],
        }
    )
    raw, first = int(trace.image.pixels[0, 0, 0]), float(pixels[0, 0, 0])
    mean, std = 255 * preprocessing.mean[0], 255 * preprocessing.std[0]
    (shown_mean, shown_std), result = round_consistently([mean, std], (raw - mean) / std, lambda p: (raw - p[0]) / p[1])
    right.markdown(f"{names[0].capitalize()} of the first pixel: ({raw} − {shown_mean}) / {shown_std} = **{result}**")
    with right:
        draw_check(Check("first number of the input", (raw - mean) / std, first, pixels))


def flattening(trace: Trace) -> None:
    """Draw section 3: a patch as one vector."""
    if trace.config.stem:
        section(
            "3 · No flattening",
            "In most Vision Transformers the pixels of a patch become one vector now. Here a convolutional network "
            "reads the image as a whole first, and what it sees of neighbouring squares overlaps.",
        )
        return
    patch = patch_number(trace, followed_patch(trace))
    raw, pixels = sequence.patch_pixels(trace, patch)
    side, channels = trace.config.patch_size, trace.config.in_chans
    section(
        "3 · Flattening",
        "The chosen patch is {P} × {P} × {C} numbers. They are written one after the other, row by row, "
        "the channels of a pixel together: one vector of 1 × {P}²{C} = 1 × " + f"{side * side * channels}.",
        values_of(trace),
    )
    vector = sequence.flattened(pixels)
    drawn = st.container()  # above the slider
    index = INDEX.draw(st.slider, "Which number of the vector?", 1, len(vector), context=len(vector)) - 1
    row, column, channel = sequence.unflatten_index(index, side, channels)
    with drawn:
        names = channel_names(channels)
        shown = [(framed(enlarged(as_picture(raw)), row, column, side), "pixels")]
        for at, name in enumerate(names):
            picture = channel_picture(raw, at)
            shown.append((framed(picture, row, column, side) if at == channel else picture, name))
        st.html(figures_html(shown))
        st.html(pointer_html(index, len(vector), f"number {index + 1}: {names[channel]}"))
        st.html(strip_html(vector, "patch as one vector, normalised"))
        st.markdown(f"Its first numbers: {numbers(vector)}")
    st.markdown(
        f"Number {index + 1} is the {names[channel]} of the pixel in row {row + 1}, column {column + 1} of the "
        f"patch (with a frame): **{number(vector[index])}**."
    )
