"""Curves over a training run: accuracy, attention entropy, attention distance and position probe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from .... import zoo
from ....analysis.training import TrainingCurves, training_curves
from ....images import Prepared, prepare, read_image
from ....notation.marks import percent
from ....notation.view import View, token_phrase
from ....trace.trace import Trace
from ....viz.training_lines import over_training
from ....walkthrough.quiz import local_head_question
from ...app import cache, state
from ...app.jobs import background, durations
from ...app.jobs.queue import Job
from ...app.views import VIEW
from ...widgets.charts import draw_chart
from ...widgets.strips import number
from ..lesson import questions
from . import time_slider

AT_ONCE = 10.0  # expected seconds up to which the curves are computed without a click
STYLE = """<style>
@media (max-width: 640px) { /* two charts beside each other on a phone, above what the page is about */
  [data-testid="stMain"] .st-key-training_curves [data-testid="stColumn"] { min-width: calc(50% - 1rem); }
}
</style>"""
QUESTION = "When does the first head become local?"


@dataclass(frozen=True, eq=False)
class Curve:
    """One chart.

    Attributes:
        name: part of the key of the chart.
        title: quantity and unit.
        values: one number for each checkpoint.
        text: formatted number of the present checkpoint.
        uniform: value of uniform attention; None if there is none.
        limit: upper end of the axis; None for an automatic one.
    """

    name: str
    title: str
    values: np.ndarray
    text: str
    uniform: float | None = None
    limit: float | None = None


def place() -> DeltaGenerator:
    """Create the container of the curves, at a fixed position on the page."""
    return st.container(key="training_curves")


def draw(choice: state.Choice, container: DeltaGenerator) -> None:
    """Draw the curves, if the user looks at the run of the model.

    Call it last in a fragment of a page: while the curves are computed, the fragment is run again and again.
    """
    if not time_slider.is_shown(choice):
        return
    names, trace = zoo.run_names(choice.model), state.trace(choice)
    with container:
        curves = _computed(choice, trace, names)
        if curves is not None:
            _draw_curves(curves, trace, VIEW.of(trace), names.index(choice.model))
            _draw_question(curves, replace(choice, model=names[-1]))


def _computed(choice: state.Choice, trace: Trace, names: Sequence[str]) -> TrainingCurves | None:
    """Return the curves for all users; draw the progress until they are there."""
    versions = tuple((name, zoo.version(name)) for name in names)
    key = ("training", "curves", choice.picked.digest, versions, choice.size, choice.fit)
    samples = tuple(state.samples_for(choice.model).values())
    is_known, seconds = cache.results.get(key) is not None, 0.0
    if not is_known:
        seconds = durations.expected(choice, trace, "checkpoint", len(names), 2.0 + len(samples))
    task = partial(_compute, choice.model, state.prepared(choice), _probe_images(choice, trace, samples))
    step = background.Step(key, task, seconds, pace=durations.pace_key(choice, trace, "checkpoint"))
    work = background.Work(key, "training", "training_measure", "Draw the curves", autostart=seconds <= AT_ONCE)
    return background.result(work, lambda: step)


def _probe_images(choice: state.Choice, trace: Trace, samples: Sequence[bytes]) -> list[partial[Prepared]]:
    """Return functions that prepare the images of the position probe, called by the job."""
    patch, preprocessing = trace.config.patch_size, trace.model.preprocessing
    return [partial(_prepared, data, choice.size, patch, choice.fit, preprocessing) for data in samples]


def _prepared(data: bytes, *arguments: object) -> Prepared:
    return prepare(read_image(data), *arguments)


def _compute(model: str, image: Prepared, probe_images: list[partial[Prepared]], job: Job) -> TrainingCurves:
    """Compute the curves; may run in any thread. Its models are those of the run, so users keep theirs in memory."""
    run = zoo.run_of(model)
    return training_curves(run, image, probe_images=[make() for make in probe_images], progress=job)


def _draw_curves(curves: TrainingCurves, trace: Trace, view: View, at: int) -> None:
    charts = curves_of(curves, view.fitted(trace), at)
    query = "mean over the patches" if view.query is None else token_phrase(trace, view.query)
    st.caption(
        f"{_head_label(curves, view)}, {query}; dotted: uniform attention. "
        + ("Accuracy: validation digits. " * (curves.accuracy is not None))
        + ("Distances: mean over the patches. " * _has_no_place(curves, view))
        + (
            "R²: row and column of a patch, predicted from its token after the layer."
            * (curves.position_r2 is not None)
        )
    )
    st.html(STYLE)
    for column, chart in zip(st.columns(len(charts), vertical_alignment="bottom"), charts, strict=True):
        with column:
            st.markdown(f"{chart.title}: **{chart.text}**")
            figure = over_training(chart.values, curves.steps, at, uniform=chart.uniform, limit=chart.limit)
            draw_chart(figure, f"training_{chart.name}", f"{chart.title} at each checkpoint")


def curves_of(curves: TrainingCurves, view: View, at: int) -> list[Curve]:
    """Return the charts of a head and a query.

    Args:
        curves: numbers of the image over the run.
        view: layer, head and query; without a query, the mean over the patches. The last layer stands for the pooling.
        at: index of the present checkpoint.
    """
    layer, head = _layer(curves, view)
    query = None if _has_no_place(curves, view) else view.query
    distance, entropy = curves.distance_of(layer, head, query), curves.entropy_of(layer, head, view.query)
    uniform = curves.uniform_distance.mean() if query is None else curves.uniform_distance[query - curves.prefix]
    charts = []
    if curves.accuracy is not None:
        charts.append(Curve("accuracy", "Accuracy", curves.accuracy, percent(curves.accuracy[at]), limit=1.05))
    if entropy is not None:
        text = f"{number(float(entropy[at]), 2)} bit"
        charts.append(Curve("entropy", "Entropy", entropy, text, uniform=curves.uniform_entropy))
    text = f"{number(float(distance[at]), 1)} px"
    charts.append(Curve("distance", "Attention distance", distance, text, uniform=float(uniform)))
    if curves.position_r2 is not None and np.isfinite(r2 := curves.position_r2[:, 1 + layer]).all():
        charts.append(Curve("position", "Position probe, R²", np.maximum(r2, 0), number(float(r2[at]), 2), limit=1.05))
    return charts


def _layer(curves: TrainingCurves, view: View) -> tuple[int, int | None]:
    """Return layer and head of the curves, which do not include the pooling."""
    layers = curves.distance.shape[1]
    return (view.layer, view.head) if view.layer < layers else (layers - 1, None)


def _head_label(curves: TrainingCurves, view: View) -> str:
    layer, head = _layer(curves, view)
    return f"Layer {layer + 1}, {'mean of the heads' if head is None else f'head {head + 1}'}"


def _has_no_place(curves: TrainingCurves, view: View) -> bool:
    """Return True for the query of a prefix token."""
    return view.query is not None and view.query < curves.prefix


def _draw_question(curves: TrainingCurves, choice: state.Choice) -> None:
    question = local_head_question(curves)
    if question is not None:
        with st.expander(QUESTION):
            questions.draw_one(question, choice)
