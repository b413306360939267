"""Sections 1 and 3: the model input, and a patch as one vector."""

from __future__ import annotations

import numpy as np
import streamlit as st

from ....images import as_picture
from ....trace.trace import Trace
from ....walkthrough import sequence
from ....walkthrough.checks import Check
from ...app import state
from ...components.flattening import flattening as flattened_patch
from ...widgets.drawing import table
from ...widgets.pictures import channel_names
from ...widgets.strips import number
from ...widgets.sums import round_consistently
from ..lesson.followed_token import followed_patch
from ..lesson.sections import draw_checks, patch_number, section, values_of
from . import sequence_data
from .following import follows_a_patch
from .settings import INDEX


def the_input(choice: state.Choice, trace: Trace) -> None:
    """Draw section 1: the model input."""
    section(
        "1 · The input",
        "A Transformer processes a sequence of vectors: words of a text, values of a time series or, here, patches of "
        "an image. This model receives {H} × {W} × {C} = {=H} × {=W} × {=C} numbers.",
        values_of(trace),
    )
    left, right = st.columns([0.3, 0.7])
    left.image(
        sequence_data.image_with_crop(choice),
        caption=crop_caption(choice),
        alt=f"The image {choice.picked.name}, in grey where it was cropped off",
    )
    preprocessing, pixels = trace.model.preprocessing, trace.pixels()
    names = channel_names(trace.config.in_chans)
    raw, first = int(trace.image.pixels[0, 0, 0]), float(pixels[0, 0, 0])
    mean, std = 255 * preprocessing.mean[0], 255 * preprocessing.std[0]
    (shown_mean, shown_std), result = round_consistently([mean, std], (raw - mean) / std, lambda p: (raw - p[0]) / p[1])
    with right:
        with st.expander("Normalised with a mean and standard deviation fixed before training"):
            st.markdown(
                f"{names[0].capitalize()} of the first pixel: ({raw} − {shown_mean}) / {shown_std} = **{result}**"
            )
            st.html(_channels(trace, names))
        draw_checks([Check("first number of the input", (raw - mean) / std, first, pixels)], "input")


def _channels(trace: Trace, names: tuple[str, ...]) -> str:
    """Return a table of the normalisation of each channel, as HTML."""
    preprocessing, pixels = trace.model.preprocessing, trace.pixels()
    rows = [
        (name, number(255 * mean, 1), number(255 * std, 1), f"{number(p.min(), 2)} to {number(p.max(), 2)}")
        for name, mean, std, p in zip(names, preprocessing.mean, preprocessing.std, pixels, strict=True)
    ]
    return table(("channel", "mean", "standard deviation", "normalised"), rows)


def crop_caption(choice: state.Choice) -> str:
    """Return the caption of the whole image, which mentions cropping and padding only where there is some."""
    drawn = choice.picked.name == state.DRAWN and not choice.picked.sample
    geometry = state.prepared(choice).geometry
    cropped = " The greyed part was cropped off." if geometry.visible_fraction < 1 else ""
    padded = " The model receives it with padding." if geometry.padded else ""
    return f"Your {'drawing' if drawn else 'image'}.{cropped}{padded}"


def flattening(trace: Trace) -> None:
    """Draw section 3: a patch as one vector."""
    if trace.config.stem:
        section(
            "3 · No flattening",
            "In most Vision Transformers, the pixels of a patch now become one vector. In this one, a convolutional "
            "network processes the whole image first, and what it computes for neighbouring patches overlaps.",
        )
        return
    side, channels = trace.config.patch_size, trace.config.in_chans
    together = ", the channels of a pixel together" if channels > 1 else ""
    section(
        "3 · Flattening",
        f"Row by row{together}, the {{P}} × {{P}} × {{C}} numbers of a patch become one vector **x** of "
        f"1 × {{P}}²{{C}} = 1 × {side * side * channels}.",
        values_of(trace),
    )
    if not follows_a_patch(trace, "flattening"):
        return
    raw, pixels = sequence.patch_pixels(trace, patch_number(trace, followed_patch(trace)))
    vector, names = sequence.flattened(pixels), channel_names(channels)
    index = INDEX.get(len(vector)) - 1
    flattened_patch(np.asarray(as_picture(raw)), pixels, names, index, on_choose=choose_index, key="flattening")
    INDEX.draw(st.slider, "Component of the vector", 1, len(vector), context=len(vector))


def choose_index(index: int) -> None:
    """Choose a component of the vector, from 0. A callback, so it holds no trace."""
    INDEX.set(index + 1)
