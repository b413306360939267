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
from ...app.jobs import asking, durations
from ...app.jobs.queue import Job
from ...app.words import literally
from ...widgets import panels
from ..lesson.sections import section
from .tokens_view import TokensView

IMAGE, LAYER = "probe: an image", "probe: a layer"  # the steps: the model runs on each image, then layers are fitted
WEIGHT = {IMAGE: 1.0, LAYER: 0.4}  # what one of them costs against a forward pass, until it is measured


def draw(view: TokensView) -> None:
    """The section."""
    section(
        "What tokens know of their place",
        "Can a linear probe, fitted on some images, read the row and the column of a patch from its token on another "
        "image?",
    )
    samples, fit = state.samples_for(view.choice.model), view.choice.fit
    key = ("probe", view.choice.model, zoo.version(view.choice.model), view.choice.size, fit)
    st.markdown(
        f"Fitted on {len(samples)} images that ship with vitviz ({literally(', '.join(samples))}), at "
        f"{models.size_words(view.choice.size)}, fit “{fit}”: each is left out once, the probe is fitted on the others "
        f"and tried on it. Your own image takes no part."
    )
    found = asking.result(asking.Work(key, "probe", "probe", "Measure"), partial(_step, view, samples, key))
    if found is not None:
        draw_result(view, found)


def _step(view: TokensView, samples: dict[str, bytes], key: tuple) -> asking.Step:
    each = {what: durations.expected(view.choice, view.trace, what, 1, weight) for what, weight in WEIGHT.items()}
    steps = [*[IMAGE] * len(samples), *[LAYER] * (view.trace.layers + 1)]
    ends = list(accumulate(each[what] for what in steps))
    return asking.Step(key, partial(_measure, view, samples, ends), ends[-1])


def _measure(view: TokensView, samples: dict[str, bytes], ends: list[float], job: Job) -> tokens.PositionProbe:
    """The measurement, in any thread.

    Args:
        view: model, size and fit.
        samples: the images.
        ends: when each step is expected to end, seconds; progress is counted in them, as steps differ.
        job: to which this reports.
    """
    ends = [round(1000 * end) for end in ends]
    images, r2, took = [], [], {IMAGE: 0.0, LAYER: 0.0}
    of_images = [(IMAGE, images, partial(_places_of, view, data)) for data in samples.values()]
    of_layers = [(LAYER, r2, partial(tokens.read_places, images, at)) for at in range(len(ends) - len(samples))]
    for end, (what, found, step) in zip(ends, of_images + of_layers, strict=True):
        begin = time.perf_counter()
        found.append(step())
        took[what] += time.perf_counter() - begin
        job(end, ends[-1])
    for what, found in ((IMAGE, images), (LAYER, r2)):
        durations.paces().note(durations.pace_key(view.choice, view.trace, what), took[what], len(found))
    return tokens.probed(images, r2)


def _places_of(view: TokensView, data: bytes) -> tokens.Places:
    """A sample's patches; its forward pass is not kept, and so without the cache of what visitors look at."""
    model, choice = view.trace.model, view.choice
    image = prepare(read_image(data), choice.size, model.config.patch_size, choice.fit, model.preprocessing)
    return tokens.places_of(model.trace(image, record=("blocks.0.resid_pre", "blocks.*.resid_post")))


def draw_result(view: TokensView, probe: tokens.PositionProbe) -> None:
    """The result over the layers."""
    row, column = (float(value) for value in probe.r2[1 + view.layer])
    panels.panel(
        "Place, read from the token",
        f"R² on the image that was left out: 1 is read exactly, 0 no better than always saying the middle; what is "
        f"worse than that is drawn at 0. {view.where.capitalize()}: row {row:.3f}, column {column:.3f}. "
        "Layer 0 is what enters the first block.",
    )
    lines = [
        Line(name, np.maximum(probe.r2[:, axis], 0), colour)
        for axis, (name, colour) in enumerate((("row", QUERY), ("column", KEY)))
    ]
    figure = over_layers(lines, "R² of left-out images", first=0, shown=view.layer + 1, limit=1.05)
    st.plotly_chart(figure, config=panels.CHART, key="probe_chart", alt="How well places are read, over the layers")
    st.caption(
        f"Ridge regression in closed form on {probe.patches:,} patches of {probe.images} images (at most "
        f"{tokens.probe.MOST} of each, drawn evenly); penalty {probe.penalty:g} × the mean variance of a token's "
        "numbers."
    )
