"""How well the place of a patch can be read from its token."""

from __future__ import annotations

import time
from functools import partial
from itertools import accumulate

import numpy as np
import streamlit as st

from .... import zoo
from ....analysis import tokens
from ....images import prepare, read_image
from ....viz.colour import KEY, QUERY
from ....viz.layer_lines import Line, over_layers
from ...app import models, state
from ...app.jobs import background, durations
from ...app.jobs.queue import Job
from ...app.messages import escape_markdown
from ...widgets import panels
from ..lesson.sections import section
from . import look

IMAGE, LAYER = "probe: an image", "probe: a layer"  # the steps: the model runs on each image, then layers are fitted
WEIGHT = {IMAGE: 1.0, LAYER: 0.4}  # what one of them costs against a forward pass, until it is measured


def places(seen: look.Look) -> None:
    """The section."""
    section(
        "What tokens know of their place",
        "Can a linear probe, fitted on some images, read the row and the column of a patch from its token on another "
        "image?",
    )
    samples, fit = state.samples_for(seen.choice.model), seen.choice.fit
    key = ("probe", seen.choice.model, zoo.version(seen.choice.model), seen.choice.size, fit)
    st.markdown(
        f"Fitted on {len(samples)} images that ship with vitviz ({escape_markdown(', '.join(samples))}), at "
        f"{models.size_label(seen.choice.size)}, fit “{fit}”: each is left out once, the probe is fitted on the others "
        f"and tried on it. Your own image takes no part."
    )
    found = background.result(background.Work(key, "probe", "probe", "Measure"), partial(_step, seen, samples, key))
    if found is not None:
        draw(seen, found)


def _step(seen: look.Look, samples: dict[str, bytes], key: tuple) -> background.Step:
    each = {what: durations.expected(seen.choice, seen.trace, what, 1, weight) for what, weight in WEIGHT.items()}
    steps = [*[IMAGE] * len(samples), *[LAYER] * (seen.trace.layers + 1)]
    ends = list(accumulate(each[what] for what in steps))
    return background.Step(key, partial(_measure, seen, samples, ends), ends[-1])


def _measure(seen: look.Look, samples: dict[str, bytes], ends: list[float], job: Job) -> tokens.PositionProbe:
    """The measurement, in any thread.

    Args:
        seen: model, size and fit.
        samples: the images.
        ends: when each step is expected to end, seconds; progress is counted in them, as steps differ.
        job: to which this reports.
    """
    ends = [round(1000 * end) for end in ends]
    images, r2, took = [], [], {IMAGE: 0.0, LAYER: 0.0}
    of_images = [(IMAGE, images, partial(_places_of, seen, data)) for data in samples.values()]
    of_layers = [(LAYER, r2, partial(tokens.read_places, images, at)) for at in range(len(ends) - len(samples))]
    for end, (what, found, step) in zip(ends, of_images + of_layers, strict=True):
        begin = time.perf_counter()
        found.append(step())
        took[what] += time.perf_counter() - begin
        job(end, ends[-1])
    for what, found in ((IMAGE, images), (LAYER, r2)):
        durations.paces().note(durations.pace_key(seen.choice, seen.trace, what), took[what], len(found))
    return tokens.probed(images, r2)


def _places_of(seen: look.Look, data: bytes) -> tokens.Places:
    """A sample's patches; its forward pass is not kept, and so without the cache of what visitors look at."""
    model, choice = seen.trace.model, seen.choice
    image = prepare(read_image(data), choice.size, model.config.patch_size, choice.fit, model.preprocessing)
    return tokens.places_of(model.trace(image, record=("blocks.0.resid_pre", "blocks.*.resid_post")))


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
