"""What the page "Lens" looks at, and how it speaks of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import streamlit as st

from ....analysis.logit_lens import Lens, depth_words
from ....notation.marks import listed
from ....trace.trace import Trace
from ...app import state
from . import lens_outputs, target_selection
from .settings import DEPTH, Goal, goal_of


@dataclass(frozen=True, eq=False)
class LensView:
    """One look: whose numbers the sections show.

    Attributes:
        choice: image and model.
        trace: their forward pass.
        outputs: what the model would return after each layer, see `vitviz.Lens`.
        goal: what is followed.
        depth: 0 before the first layer, else how many layers are passed.
    """

    choice: state.Choice
    trace: Trace
    outputs: np.ndarray
    goal: Goal
    depth: int

    @property
    def lens(self) -> Lens:
        """The outputs with their model, which callbacks of a session should not keep in memory."""
        return Lens(self.trace.model, self.outputs)


def current(choice: state.Choice) -> LensView:
    """What this visitor looks at; draws the box that chooses the target."""
    with st.empty():  # spinners come and go here, and move nothing below
        trace = state.trace(choice)
        outputs = lens_outputs.whole(choice).outputs
    target_selection.choose(choice)
    with st.empty():
        goal, depth = goal_of(choice), DEPTH.get(choice)
    return LensView(choice, trace, outputs, goal, depth)


def go_to_depth(view: LensView, depth: int) -> None:
    """LensView at another depth; a callback."""
    DEPTH.set(depth, view.choice)


def choose_depth(view: LensView) -> None:
    """The slider that chooses the depth."""
    depths = range(1 + view.trace.layers)
    DEPTH.draw(st.select_slider, "Layer", depths, context=view.choice, format_func=depth_words, width=340)


def readers(trace: Trace) -> str:
    """What reads the stream at the end, such as `"its final norm, the class token and the classifier"`."""
    config = trace.config
    pooled = {
        "distilled": "class and distillation token",
        "attention": "its attention pooling",
    }.get(config.pooling, config.pooling_description)
    norm = ["its final norm"] if config.final_norm else []
    head = ["the classifier" if trace.model.is_classifier else "the last map"] if config.num_classes else []
    return listed([*norm, pooled, *head], "and")


def alone(trace: Trace) -> str:
    """What it means to read a patch alone, as a sentence; see `vitviz.patch_lens`."""
    return {
        "token": "Each patch is put in the place of the class token.",
        "mean": "The mean is taken of that one patch only.",
        "token+mean": "Each patch is put in the place of the class token, and the mean is taken of it alone.",
        "distilled": "Each patch is put in the place of both the class and the distillation token.",
        "attention": "The attention pooling is given this patch and nothing else to look at.",
    }[trace.config.pooling]
