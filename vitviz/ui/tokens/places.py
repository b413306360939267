"""How well the place of a patch can be read from its token."""

from __future__ import annotations

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from ... import tokens, zoo
from ...colour import KEY, QUERY
from ...images import prepare, read_image
from ...tokens.figures import Line, over_layers
from .. import panels, state
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
        f"{seen.choice.size} px, fit “{fit}”: each is left out once, the probe is fitted on the others and "
        f"tried on it. Your own image takes no part."
    )
    room = st.empty()
    if key not in _results():
        if not room.button("Measure", key="probe", type="primary"):
            return
        found = measure(seen, samples, room)
        if len(_results()) >= MOST:
            _results().pop(next(iter(_results())), None)
        _results()[key] = found
        room.empty()
    draw(seen, _results()[key])


def measure(seen: look.Look, samples: dict[str, bytes], room: DeltaGenerator) -> tokens.PositionProbe:
    """Run the samples through the model and fit the probes; a click on Stop ends this run, and nothing is kept."""
    with room.container(horizontal=True, vertical_alignment="center"):
        progress = st.progress(0.0, "Running the model …")
        st.button("Stop", key="probe_stop")
    model, choice, patches = seen.trace.model, seen.choice, []
    steps = len(samples) + seen.trace.layers + 1
    for done, (name, data) in enumerate(samples.items()):
        progress.progress(done / steps, f"Running the model on {name} …")
        image = prepare(read_image(data), choice.size, model.config.patch, choice.fit, model.preprocessing)
        patches.append(tokens.places_of(model.trace(image)))

    def tell(stage: int) -> None:
        progress.progress((len(samples) + stage) / steps, f"Fitting the probes of layer {stage - 1} …")

    return tokens.position_probe(patches, tell=tell)


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
