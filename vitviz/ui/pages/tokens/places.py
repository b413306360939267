"""How well the place of a patch can be read from its token."""

from __future__ import annotations

import time
from functools import partial
from itertools import accumulate

import numpy as np
import streamlit as st

from .... import zoo
from ....analysis import tokens
from ....analysis.attribution.progress import Progress
from ....images import prepare, read_image
from ....viz.colour import KEY, QUERY
from ....viz.layer_lines import Line, over_layers
from ...app import cache, jobs, models, state, waits, watching
from ...app.words import literally
from ...widgets import panels
from ..lesson.sections import section
from . import look

PAGE = "tokens"
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
        f"Fitted on {len(samples)} images that ship with vitviz ({literally(', '.join(samples))}), at "
        f"{models.size_words(seen.choice.size)}, fit “{fit}”: each is left out once, the probe is fitted on the others "
        f"and tried on it. Your own image takes no part."
    )
    if st.session_state.pop("probe_begins", False):  # what is chosen now may be newer than the button that was clicked
        st.session_state.probe_asked = key
    found = cache.results.get(key)
    if found is None:
        _measure_when_asked(seen, samples, key)
    else:
        draw(seen, found)


def _measure_when_asked(seen: look.Look, samples: dict[str, bytes], key: tuple) -> None:
    """A button that begins the measurement, or the one that is going on with a button that stops it.

    It is one button, because one that is gone would stay visible until a run ends that does not ask for the next.
    """
    each = {what: waits.expected(seen.choice, seen.trace, what, 1, weight) for what, weight in WEIGHT.items()}
    steps = [*[IMAGE] * len(samples), *[LAYER] * (seen.trace.layers + 1)]
    expected = sum(each[what] for what in steps)
    if st.session_state.get("probe_asked") != key:
        st.button("Measure", key="probe", on_click=_begin)
        stopped = "Stopped; what was found so far is not kept. " if st.session_state.pop("probe_stopped", False) else ""
        st.caption(f"{stopped}Takes {waits.about(expected)} on this server.")
        return
    st.button("Stop", key="probe", on_click=_stop)
    bar = st.progress(0.0)
    task = _task(seen, samples, key, list(accumulate(each[what] for what in steps)))
    job = jobs.shared().join(key, task, jobs.visitor(PAGE))
    if watching.ended(job, bar, expected) and not isinstance(job.error, jobs.AbandonedError):
        del st.session_state.probe_asked
        if job.error is not None:
            raise job.error
    watching.again()


def _task(seen: look.Look, samples: dict[str, bytes], key: tuple, ends: list[float]) -> jobs.Task:
    """Task that measures and keeps the result for all, in any thread.

    Args:
        seen: model, size and fit.
        samples: the images.
        key: of the result.
        ends: when each step is expected to end, seconds; progress is counted in them, as steps differ.
    """
    paces = waits.paces()
    pace = {what: waits.pace_key(seen.choice, seen.trace, what) for what in WEIGHT}
    ends = [round(1000 * end) for end in ends]

    def work(report: Progress) -> tokens.PositionProbe:
        images, r2, took = [], [], {IMAGE: 0.0, LAYER: 0.0}
        of_images = [(IMAGE, images, partial(_places_of, seen, data)) for data in samples.values()]
        of_layers = [(LAYER, r2, partial(tokens.position_r2, images, at)) for at in range(len(ends) - len(samples))]
        for end, (what, found, step) in zip(ends, of_images + of_layers, strict=True):
            begin = time.perf_counter()
            found.append(step())
            took[what] += time.perf_counter() - begin
            report(end, ends[-1])
        paces.note(pace[IMAGE], took[IMAGE], len(images))
        paces.note(pace[LAYER], took[LAYER], len(r2))
        return tokens.assemble_probe(images, r2)

    return lambda report: cache.results.made(key, lambda: work(report))


def _places_of(seen: look.Look, data: bytes) -> tokens.PatchPositions:
    """A sample's patches; its forward pass is not kept, and so without the cache of what visitors look at."""
    model, choice = seen.trace.model, seen.choice
    image = prepare(read_image(data), choice.size, model.config.patch_size, choice.fit, model.preprocessing)
    return tokens.patch_positions(model.trace(image, record=("blocks.0.resid_pre", "blocks.*.resid_post")))


def _begin() -> None:
    jobs.shared().wait_only_for([], jobs.visitor(PAGE))
    st.session_state.probe_begins = True


def _stop() -> None:
    jobs.shared().wait_only_for([], jobs.visitor(PAGE))
    st.session_state.pop("probe_asked", None)
    st.session_state.probe_stopped = True


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
        f"{tokens.probe.MAX_PATCHES} of each, drawn evenly); penalty {probe.penalty:g} × the mean variance of a "
        "token's numbers."
    )
