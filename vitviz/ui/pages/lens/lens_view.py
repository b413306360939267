"""View of the page "Lens": target and depth, and descriptions of how the model is read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import streamlit as st

from ....analysis.logit_lens import Lens, depth_label
from ....notation.marks import join_words
from ....trace.trace import Trace
from ...app import state
from . import lens_outputs, target_selection
from .settings import DEPTH, LensTarget, target_of


@dataclass(frozen=True, eq=False)
class LensView:
    """Image, model, target and depth that the sections show.

    Attributes:
        choice: image and model.
        trace: the forward pass.
        outputs: outputs after each layer, see `vitviz.Lens`.
        target: the chosen target.
        depth: number of layers before the readout; 0 is the input of the first layer.
    """

    choice: state.Choice
    trace: Trace
    outputs: np.ndarray
    target: LensTarget
    depth: int

    @property
    def lens(self) -> Lens:
        """Outputs with their model; made on demand so that callbacks of a session keep no model in memory."""
        return Lens(self.trace.model, self.outputs)


def current(choice: state.Choice) -> LensView:
    """Draw the target box and return the user's current view."""
    with st.empty():  # placeholder for spinners, so that nothing below moves
        trace = state.trace(choice)
        outputs = lens_outputs.image_outputs(choice).outputs
    with st.container():
        target_selection.choose(choice)
    with st.empty():
        target, depth = target_of(choice), DEPTH.get(choice)
    return LensView(choice, trace, outputs, target, depth)


def go_to_depth(view: LensView, depth: int) -> None:
    """Choose another depth; a callback."""
    DEPTH.set(depth, view.choice)


def choose_depth(view: LensView) -> None:
    """Draw the slider that chooses the depth."""
    depths = range(1 + view.trace.layers)
    DEPTH.draw(st.select_slider, "Layer", depths, context=view.choice, format_func=depth_label, width=340)


def readout_description(trace: Trace) -> str:
    """Describe the readout of the last layer, such as `"its final norm, the class token and the classifier"`."""
    config = trace.config
    pooled = {
        "token+mean": "the class token with the mean of the patches",
        "distilled": "class and distillation token",
        "attention": "its attention pooling",
    }.get(config.pooling, config.pooling_description)
    norm = ["its final norm"] if config.final_norm else []
    head = ["the classifier" if trace.model.is_classifier else "the final linear layer"] if config.num_classes else []
    return join_words([*norm, pooled, *head], "and")


def patch_readout_description(trace: Trace) -> str:
    """Describe the readout of a single patch in a sentence; see `vitviz.patch_lens`."""
    return {
        "token": "Each patch token replaces the class token.",
        "mean": "The mean is taken over that patch alone.",
        "token+mean": "Each patch token replaces the class token, and the mean is taken over that patch alone.",
        "distilled": "Each patch token replaces both the class and the distillation token.",
        "attention": "The attention pooling attends to this patch alone.",
    }[trace.config.pooling]
