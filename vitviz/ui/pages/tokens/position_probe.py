"""Linear probe of the row and column of a patch from its token."""

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
from ...widgets.charts import draw_chart
from ..lesson.sections import section
from .tokens_view import TokensView

IMAGE, LAYER = "probe: an image", "probe: a layer"  # steps: a forward pass per image, then a fit per layer
WEIGHT = {IMAGE: 1.0, LAYER: 0.4}  # cost of a step in forward passes, until it is measured


def draw(view: TokensView) -> None:
    """Draw the section."""
    section(
        "Position information in tokens",
        "Can a linear probe, fitted on some images, predict the row and column of a patch from its token in another "
        "image?",
    )
    samples, fit = state.samples_for(view.choice.model), view.choice.fit
    key = ("probe", view.choice.model, zoo.version(view.choice.model), view.choice.size, fit)
    st.markdown(
        f"Fitted on {len(samples)} images that ship with vitviz ({escape_markdown(', '.join(samples))}), at "
        f"{models.size_label(view.choice.size)}, fit “{fit}”, with leave-one-out cross-validation over the images. "
        f"Your own image is not used."
    )
    result = background.result(background.Work(key, "probe", "probe", "Measure"), partial(_step, view, samples, key))
    if result is not None:
        draw_result(view, result)


def _step(view: TokensView, samples: dict[str, bytes], key: tuple) -> background.Step:
    each = {what: durations.expected(view.choice, view.trace, what, 1, weight) for what, weight in WEIGHT.items()}
    steps = [*[IMAGE] * len(samples), *[LAYER] * (view.trace.layers + 1)]
    ends = list(accumulate(each[what] for what in steps))
    return background.Step(key, partial(_measure, view, samples, ends), ends[-1])


def _measure(view: TokensView, samples: dict[str, bytes], ends: list[float], job: Job) -> tokens.PositionProbe:
    """Measure the probe; may run in any thread.

    Args:
        view: model, size and fit.
        samples: encoded images by name.
        ends: expected end of each step, seconds; the unit of progress, because steps differ in duration.
        job: receives the progress.
    """
    ends = [round(1000 * end) for end in ends]
    images, r2, took = [], [], {IMAGE: 0.0, LAYER: 0.0}
    of_images = [(IMAGE, images, partial(_places_of, view, data)) for data in samples.values()]
    of_layers = [(LAYER, r2, partial(tokens.position_r2, images, at)) for at in range(len(ends) - len(samples))]
    for end, (what, results, step) in zip(ends, of_images + of_layers, strict=True):
        begin = time.perf_counter()
        results.append(step())
        took[what] += time.perf_counter() - begin
        job(end, ends[-1])
    for what, results in ((IMAGE, images), (LAYER, r2)):
        durations.paces().note(durations.pace_key(view.choice, view.trace, what), took[what], len(results))
    return tokens.assemble_probe(images, r2)


def _places_of(view: TokensView, data: bytes) -> tokens.PatchPositions:
    """Return the patches of a sample. Its forward pass is not kept, so it bypasses the cache of traces."""
    model, choice = view.trace.model, view.choice
    image = prepare(read_image(data), choice.size, model.config.patch_size, choice.fit, model.preprocessing)
    return tokens.patch_positions(model.trace(image, record=("blocks.0.resid_pre", "blocks.*.resid_post")))


def draw_result(view: TokensView, probe: tokens.PositionProbe) -> None:
    """Draw the result by layer."""
    row, column = (float(value) for value in probe.r2[1 + view.layer])
    panels.panel(
        "Position predicted from the token",
        f"R² on the left-out image: 1 is exact, 0 no better than predicting the mean; negative values are drawn as 0. "
        f"{view.layer_label.capitalize()}: row {row:.3f}, column {column:.3f}. Layer 0 is the input of the "
        "first block.",
    )
    lines = [
        Line(name, np.maximum(probe.r2[:, axis], 0), colour)
        for axis, (name, colour) in enumerate((("row", QUERY), ("column", KEY)))
    ]
    figure = over_layers(lines, "R² of left-out images", first=0, shown=view.layer + 1, limit=1.05)
    draw_chart(figure, "probe_chart", "R² of the position probe by layer")
    st.caption(
        f"Ridge regression in closed form on {probe.patches:,} patches of {probe.images} images (at most "
        f"{tokens.probe.MAX_PATCHES} of each, evenly sampled); penalty {probe.penalty:g} × the mean variance of a "
        "token's dimensions."
    )
