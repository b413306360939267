"""How well the place of a patch can be read from its token."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import streamlit as st
from streamlit.errors import StreamlitAPIException

from ... import tokens, zoo
from ...colour import KEY, QUERY
from ...images import prepare, read_image
from ...tokens.figures import Line, over_layers
from ...trace import Trace
from .. import models, panels, state
from ..learn.common import section
from ..words import literally
from . import look

MOST = 32  # results that are kept; each is a few hundred numbers


def places(seen: look.Look) -> None:
    """The section."""
    section(
        "What tokens know of their place",
        "Can a linear probe, fitted on some images, read the row and the column of a patch from its token on another "
        "image?",
    )
    samples, fit = state.samples_for(seen.choice.model), seen.choice.fit
    key = (seen.choice.model, zoo.version(seen.choice.model), seen.choice.size, fit)
    st.markdown(
        f"Fitted on {len(samples)} images that ship with vitviz ({literally(', '.join(samples))}), at "
        f"{models.size_words(seen.choice.size)}, fit “{fit}”: each is left out once, the probe is fitted on the others "
        f"and tried on it. Your own image takes no part."
    )
    if key in _results():
        draw(seen, _results()[key])
    elif "probe_work" in st.session_state and st.session_state.probe_work.key == key:
        go_on(st.session_state.probe_work, seen, samples)
    else:
        st.button("Measure", key="probe", on_click=_begin, args=(key,))


@dataclass
class Work:
    """A measurement that is going on.

    Attributes:
        key: of what.
        images: patches of the images that the model has run on.
        r2: of the stages that have been probed.
    """

    key: tuple
    images: list[tokens.Places] = field(default_factory=list)
    r2: list[np.ndarray] = field(default_factory=list)


def go_on(work: Work, seen: look.Look, samples: dict[str, bytes]) -> None:
    """Do one step and run the page again: a run that did all would hear of a click on Stop when it is too late."""
    done, steps = len(work.images) + len(work.r2), len(samples) + seen.trace.layers + 1
    is_running = len(work.images) < len(samples)
    name = list(samples)[len(work.images)] if is_running else f"layer {len(work.r2)}"
    st.button("Stop", key="probe", on_click=_stop)  # takes the place of the one that began it
    st.progress(done / steps, f"Running the model on {name} …" if is_running else f"Fitting the probes of {name} …")
    with state.one_at_a_time:
        if is_running:
            work.images.append(tokens.places_of(_traced(seen, samples[name])))
        else:
            work.r2.append(tokens.read_places(work.images, len(work.r2)))
    if done + 1 == steps:
        while len(_results()) >= MOST:
            _results().pop(next(iter(_results())), None)
        _results()[work.key] = tokens.probed(work.images, work.r2)
        _stop()
    try:
        st.rerun(scope="fragment")
    except StreamlitAPIException:  # this run was not of the fragment alone
        st.rerun()


def _traced(seen: look.Look, data: bytes) -> Trace:
    """A sample's forward pass; not kept, and so without the cache of what visitors look at."""
    model, choice = seen.trace.model, seen.choice
    image = prepare(read_image(data), choice.size, model.config.patch, choice.fit, model.preprocessing)
    return model.trace(image, record=("blocks.0.resid_pre", "blocks.*.resid_post"))


def _begin(key: tuple) -> None:
    st.session_state.probe_work = Work(key)


def _stop() -> None:
    st.session_state.pop("probe_work", None)  # what was found so far is not kept


def draw(seen: look.Look, probe: tokens.PositionProbe) -> None:
    """The result over the layers."""
    row, column = (float(value) for value in probe.r2[1 + seen.layer])
    panels.panel(
        "Place, read from the token",
        f"R² on the image that was left out: 1 is read exactly, 0 no better than always saying the middle; what is "
        f"worse than that is drawn at 0. {seen.where.capitalize()}: row {row:.3f}, column {column:.3f}. "
        "Layer 0 is what enters the first block.",
    )
    lines = [
        Line(name, np.maximum(probe.r2[:, axis], 0), colour)
        for axis, (name, colour) in enumerate((("row", QUERY), ("column", KEY)))
    ]
    figure = over_layers(lines, "R² of left-out images", first=0, shown=seen.layer + 1, limit=1.05)
    st.plotly_chart(figure, config=panels.CHART, key="probe_chart", alt="How well places are read, over the layers")
    st.caption(
        f"Ridge regression in closed form on {probe.patches:,} patches of {probe.images} images (at most "
        f"{tokens.probe.MOST} of each, drawn evenly); penalty {probe.penalty:g} × the mean variance of a token's "
        "numbers."
    )


@st.cache_resource(max_entries=1, show_spinner=False)
def _results() -> dict[tuple, tokens.PositionProbe]:
    """What has been measured, for all visitors."""
    return {}
