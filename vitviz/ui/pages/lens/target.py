"""What the lens is asked about: a class; or, of a model without classes, likeness to an output."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import streamlit as st

from ....analysis.logit_lens import Lens, LensTarget
from ....analysis.predictions import class_name
from ....errors import ImageError
from ....notation.marks import one_of, percent
from ...app import state
from ...app.remembered import remembered
from ...app.sidebar import FORMATS, OWN_WORDS
from ...app.uploads import drop_zone
from ...app.words import literally
from ...widgets.strips import number

PREDICTED = -1  # stands for the class that the model predicts, whichever that is
EACH, OWN, UPLOAD, MINE = "", "image", "\0", "\0mine"  # no sample is called so
KEPT = "lens_uploaded"  # Streamlit would forget what its own uploader holds as soon as the page is left
PROBLEM = "lens_upload_problem"


@dataclass(frozen=True, eq=False)
class Goal:
    """A target with what belongs to it.

    Attributes:
        key: what identifies it.
        target: a class, a vector like the model's output, or None: the end of whatever is read.
        name: what it is called, other people's words included: `"4"`, `"rocket"`.
        curve: its value for the whole image, [1 + layer].
        mark: what stands for it in a link; empty for what is followed unless somebody chooses.
        signed: whether values may be negative: cosines, and not probabilities.
    """

    key: tuple
    target: LensTarget | None
    name: str
    curve: np.ndarray
    mark: str
    signed: bool

    @property
    def what(self) -> str:
        """What its values are, for captions."""
        return f"Cosine with {self.name}" if self.signed else f"Probability of “{self.name}”"

    def say(self, value: float) -> str:
        """A value in words."""
        return number(value, 3) if self.signed else percent(value)


def reader(choice: state.Choice, lens: Lens) -> Callable[[str], int | str]:
    """What understands a target in a link: the number of a class, or the name of a sample."""
    if not lens.model.is_classifier:
        return one_of([*state.samples_for(choice.model), OWN])
    classes = [str(index) for index in range(lens.probabilities().shape[1])]

    def read(text: str) -> int:
        if text not in classes:
            raise ValueError(f"a class from 0 to {classes[-1]}")
        return int(text)

    return read


def choose(choice: state.Choice, lens: Lens, asked: int | str | None) -> Goal:
    """The box that chooses the target, and what it says; `asked` is what a link asks for."""
    if lens.model.is_classifier:
        return choose_class(choice, lens, PREDICTED if asked is None else asked)
    return choose_image(choice, lens, EACH if asked is None else asked)


def choose_class(choice: state.Choice, lens: Lens, first: int) -> Goal:
    """One of the model's classes; the predicted one unless the visitor asks for another."""
    model, likely = lens.model, lens.probabilities()
    predicted = int(likely[-1].argmax())
    names = {PREDICTED: f"{class_name(model, predicted)} (predicted)"}
    names |= {index: class_name(model, index) for index in range(likely.shape[1])}
    draw = partial(st.selectbox, "Class that is followed", list(names), format_func=names.get, width=340)
    chosen = remembered(draw, f"lens_class_{choice.model}", first)
    index = predicted if chosen == PREDICTED else chosen
    mark = "" if chosen == PREDICTED else str(index)
    return Goal(("class", index), index, class_name(model, index), likely[:, index], mark, signed=False)


def choose_image(choice: state.Choice, lens: Lens, first: str) -> Goal:
    """Reference of the comparison: the output's own end, or the output of this image, a sample, or an own one."""
    samples = {name: data for name, data in state.samples_for(choice.model).items() if data != choice.picked.data}
    mine = state.own_beside(choice)
    options = [EACH, OWN, *samples, *([MINE] if mine else []), UPLOAD]
    words = {
        EACH: "each patch itself",
        OWN: "this image as a whole",
        MINE: OWN_WORDS,
        UPLOAD: "another image of your own …" if mine else "an image of your own …",
    }
    draw = partial(
        st.selectbox,
        "Compared with what the model makes of",
        options,
        format_func=lambda name: words.get(name) or name,
        width=340,
    )
    chosen = remembered(draw, f"lens_image_{choice.model}", first if first in options else EACH, options)
    if chosen == UPLOAD:
        return _uploaded(choice, lens)
    if chosen == EACH:
        return Goal(("each",), None, "its own final output", lens.similarities(), "", signed=True)
    if chosen == MINE:
        return _like(choice, lens, mine)
    return _like(choice, lens, None if chosen == OWN else state.Picked(chosen, samples[chosen], sample=True))


def _uploaded(choice: state.Choice, lens: Lens) -> Goal:
    """The last image that was dropped here; until there is one, this image."""
    with st.container(width=340):
        drop_zone("Image to compare with", _take_upload, key="lens_upload", help=FORMATS)
        problem, picked = st.session_state.pop(PROBLEM, None), st.session_state.get(KEPT)
        if problem:
            st.error(literally(problem))
        elif picked:
            st.caption(literally(f"Compared with {picked.name}, which is kept in the server's memory only."))
        else:
            st.caption("Until there is one, it is compared with this image as a whole.")
    return _like(choice, lens, picked)


def _take_upload(name: str, data: bytes) -> None:
    """Compare with an image of the visitor's own. One that cannot be used is said, and changes nothing."""
    picked = state.Picked(name, data, sample=False)
    try:
        state.check_own(picked)
    except ImageError as error:
        st.session_state[PROBLEM] = str(error)
    else:
        st.session_state[KEPT] = picked


def _like(choice: state.Choice, lens: Lens, picked: state.Picked | None) -> Goal:
    """Likeness to what the model makes of an image, of this one if None."""
    if picked is None:
        output, key, name, mark = lens.outputs[-1], ("own",), "this image’s own final output", OWN
    else:
        other = replace(choice, picked=picked)
        output, key, name = state.trace(other).output, other.key, f"the output for “{picked.name}”"
        mark = picked.name if picked.sample else ""  # no link carries somebody's own photo
    return Goal(("like", *key), output, name, lens.similarities(output), mark, signed=True)
