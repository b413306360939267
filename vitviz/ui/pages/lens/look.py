"""What the page "Lens" looks at, and how it speaks of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import streamlit as st

from ....analysis.logit_lens import Lens, depth_label
from ....notation.marks import counted, format_token, listed
from ....trace.trace import Trace
from ...app import link, shell, state
from ...app.remembered import answer, remembered
from . import cached, target
from .target import Goal


@dataclass(frozen=True, eq=False)
class Look:
    """One look: whose numbers the sections show.

    Attributes:
        choice: image and model.
        trace: their forward pass.
        outputs: what the model would return after each layer, see `vitviz.Lens`.
        goal: what is followed.
        first: the depth until the visitor chooses.
        depth: 0 before the first layer, else how many layers are passed.
    """

    choice: state.Choice
    trace: Trace
    outputs: np.ndarray
    goal: Goal
    first: int
    depth: int

    @property
    def lens(self) -> Lens:
        """The outputs with their model, which callbacks of a session should not keep in memory."""
        return Lens(self.trace.model, self.outputs)


def current(choice: state.Choice) -> Look:
    """What this visitor looks at; draws the box that chooses the target."""
    with st.empty():  # spinners come and go here, and move nothing below
        trace = state.trace(choice)
        lens = cached.whole(choice)
    asked = shell.take_from_link({link.LENS: target.reader(choice, lens), link.DEPTH: _depth_reader(trace)})
    goal = target.choose(choice, lens, asked.get(link.LENS))
    with st.empty():
        first = first_depth(choice, trace, goal)
    return Look(choice, trace, lens.outputs, goal, first, answer(_depth_key(trace, goal), asked.get(link.DEPTH, first)))


def first_depth(choice: state.Choice, trace: Trace, goal: Goal) -> int:
    """The depth until the visitor chooses: of a class the last; of a likeness, the one at which patches differ most."""
    if not goal.signed:
        return trace.layers
    return int(cached.by_patch(choice, goal.key, goal.target).std(axis=(1, 2)).argmax())


def go_to_depth(look: Look, depth: int) -> None:
    """Look at another depth; a callback."""
    st.session_state[_depth_key(look.trace, look.goal)] = depth


def write_address(look: Look) -> None:
    """Make the address bar a link to this target, layer and patch; what nobody chose needs no words."""
    goal = {link.LENS: look.goal.mark} if look.goal.mark else {}
    depth = {link.DEPTH: str(look.depth)} if look.depth != look.first else {}
    pinned = shell.current_view(look.trace).query
    patch = {"query": format_token(pinned, look.trace)} if pinned is not None else {}
    shell.write_address({**goal, **depth, **patch})


def choose_depth(look: Look) -> None:
    """The slider that chooses the depth; `current` has its answer."""
    depths = range(1 + look.trace.layers)
    draw = partial(st.select_slider, "Layer", depths, format_func=depth_label, width=340)
    remembered(draw, _depth_key(look.trace, look.goal), look.depth)


def _depth_reader(trace: Trace) -> Callable[[str], int]:
    return lambda text: 0 if text == "0" else 1 + counted(text, trace.layers, "0")


def _depth_key(trace: Trace, goal: Goal) -> str:
    """The depth is remembered for each kind of target: another kind is worth another look."""
    return f"lens_depth_{trace.layers}" + (f"_{goal.key[0]}" if goal.signed else "")


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
