"""Faithfulness of the maps: deletion and insertion curves in the patch order of each map."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import streamlit as st

from ....analysis.attribution import METHODS
from ....analysis.attribution.baselines import baseline_label
from ....analysis.attribution.faithfulness import BASELINES, Curves, curves, endpoints, random_curves
from ....errors.progress import Progress
from ....trace.trace import Trace
from ...app import cache, state
from ...app.jobs import background, durations
from ...app.jobs.queue import Task
from ...app.messages import escape_markdown
from ...widgets.charts import draw_chart
from ...widgets.strips import number
from . import auc
from .map_grid import requests
from .maps import PLACE, MapRequest, compute, known
from .settings import BASELINE
from .targets import TargetSpec, target_of

ORDERS = 5  # number of random orders, whose mean is drawn
TITLES = {"deletion": "**Deletion**: lower is better", "insertion": "**Insertion**: higher is better"}
COARSE, FINE = 4, 16  # points of a preview and of the final curve, less one
RANDOM = "random"  # used in place of a method's name


@dataclass(frozen=True)
class Comparison:
    """Comparison of all available maps of one target.

    Attributes:
        choice: image and model.
        spec: the target to measure while patches are removed or inserted.
        baseline: replacement of missing patches.
        requests: the maps.
    """

    choice: state.Choice
    spec: TargetSpec
    baseline: str
    requests: tuple[MapRequest, ...]

    @property
    def key(self) -> tuple:
        """Key of the user's request; it includes the curves of maps that are computed later."""
        return "comparison", self.choice.key, self.spec.key, self.baseline

    def keys(self) -> dict[str, tuple]:
        """Cache keys of the curves of each map and of the random orders, the same for all users."""
        return {RANDOM: (*self.key, RANDOM)} | {request.method: (*self.key, request.key) for request in self.requests}

    def known(self, points: int = FINE) -> dict[str, Curves]:
        """Return the cached curves with this number of points."""
        results = {name: cache.results.get((*key, points)) for name, key in self.keys().items()}
        return {name: result for name, result in results.items() if result is not None}


def compare(choice: state.Choice, trace: Trace, specs: Sequence[TargetSpec]) -> list[background.Request]:
    """Draw the comparison of all available maps for each target; return the remaining work."""
    st.header("Faithfulness", anchor=False)
    st.markdown(
        "Deletion removes patches, the most important first: the faster the target falls, the better. Insertion starts "
        "without patches and adds them, the most important first: the faster the target rises, the better. A map that "
        "does no better than a random order has not found what the model uses. "
        "[Petsiuk et al. 2018, section 4.1](https://arxiv.org/abs/1806.07421)"
    )
    baseline = replace(BASELINE, default=lambda _: lowest(choice, specs[0])).draw(
        st.segmented_control,
        "Baseline: missing patches become the",
        BASELINES,
        context=choice,
        format_func=baseline_label,
        required=True,
    )
    pending = []
    for place, spec in enumerate(specs):
        maps = tuple(request for request in requests(choice, trace, spec) if known(request) is not None)
        with st.container(key=f"explain_contest_{place}"):
            pending += _compare_target(Comparison(choice, spec, baseline, maps), place)
    return pending


def _compare_target(comparison: Comparison, place: int) -> list[background.Request]:
    target = target_of(comparison.spec, comparison.choice)
    results, rough = comparison.known(), comparison.known(COARSE)
    st.markdown(f"**Target {place + 1}: {escape_markdown(target.label)}**")
    bounds = _bounds(comparison)
    with st.container(key=f"explain_{'inconclusive' if is_inconclusive(bounds) else 'conclusive'}_{place}"):
        st.caption(end_points_text(bounds, comparison))
    left = _steps(comparison, results, rough)
    label = "Compare the maps" if len(results) < 2 else "Compare the other maps"
    work = background.Work(comparison.key, PLACE, f"explain_compare_{place}", label, left, keeps_parts=True)
    pending = background.start_button(work)
    if results or rough:
        if rough.keys() - results.keys():
            with st.container(key=f"explain_coarse_{place}"):
                st.caption(f"Coarse: some curves have only {COARSE + 1} points, and their AUC may change.")
        draw(rough | results, comparison.spec.measured, place, rank=not left and not is_inconclusive(bounds))
    return pending


def _steps(comparison: Comparison, results: Mapping[str, Curves], rough: Mapping[str, Curves]) -> list[background.Step]:
    """Return the remaining steps: all curves with few points, then all curves with all points."""
    missing = [name for name in comparison.keys() if name not in results]  # noqa: SIM118
    coarse = [_step(comparison, name, COARSE) for name in missing if name not in rough]
    return coarse + [_step(comparison, name, FINE) for name in missing]


def _step(comparison: Comparison, name: str, points: int) -> background.Step:
    choice, trace = comparison.choice, state.trace(comparison.choice)
    label = title(name) + (", coarse" if points == COARSE else "")
    passes = 2 * (points + 1) * (ORDERS if name == RANDOM else 1)
    return background.Step(
        (*comparison.keys()[name], points),
        _task(comparison, name, points),
        durations.expected(choice, trace, "curves", passes),
        label,
        durations.pace_key(choice, trace, "curves"),
    )


def _bounds(comparison: Comparison) -> tuple[float, float]:
    """Return the target with all patches and with none, the end points of every curve."""
    trace, target = state.trace(comparison.choice), target_of(comparison.spec, comparison.choice)

    def measure() -> tuple[float, float]:
        with state.one_at_a_time:
            return endpoints(trace.model, trace, target, baseline=comparison.baseline)

    return cache.results.get_or_compute((*comparison.key, "bounds"), measure)


def lowest(choice: state.Choice, spec: TargetSpec) -> str:
    """Return the default baseline: the one with the lowest target value for this image."""
    return min(BASELINES, key=lambda kind: _bounds(Comparison(choice, spec, kind, ()))[1])


def is_inconclusive(bounds: tuple[float, float]) -> bool:
    """Return True if more than half of the target remains without any patch."""
    whole, none = bounds
    return whole > 0 and none > whole / 2


def _task(comparison: Comparison, name: str, points: int) -> Task:
    """Return a task that computes the curves of one map or of the random orders; it may run in any thread."""
    trace, target = state.trace(comparison.choice), target_of(comparison.spec, comparison.choice)
    options = {"baseline": comparison.baseline, "steps": points}
    request = next((request for request in comparison.requests if request.method == name), None)

    def work(progress: Progress) -> Curves:
        if request is None:
            return random_curves(trace.model, trace, target, seeds=ORDERS, progress=progress, **options)
        result = compute(request)  # cached if available
        return curves(trace.model, trace, result.map, target, progress=progress, **options)

    return work


def draw(results: Mapping[str, Curves], value: str, place: int, rank: bool) -> None:
    """Draw both charts on one scale, and the table of AUCs, which marks the best method if `rank` is set."""
    names = [name for name in (*METHODS, RANDOM) if name in results]
    drawn = np.concatenate([values for one in results.values() for values in (one.deletion, one.insertion)])
    ends = float(drawn.min()), float(drawn.max())
    for column, kind in zip(st.columns(2, gap="large"), ("deletion", "insertion"), strict=True):
        lines = {title(name): (results[name].fraction, getattr(results[name], kind)) for name in names}
        with column:
            st.markdown(TITLES[kind])
            draw_chart(
                auc.chart(lines, auc.AXES[kind], value, title(RANDOM), ends),
                key=f"explain_{kind}_{place}",
                alt=f"{kind.capitalize()} curves: {value} against {auc.AXES[kind]}, for {', '.join(lines)}",
            )
    st.html(auc.table({title(name): results[name] for name in names}, title(RANDOM), rank))


def end_points_text(bounds: tuple[float, float], comparison: Comparison) -> str:
    """Describe the target with all patches and with none, the end points of every curve."""
    whole, none = bounds
    text = (
        f"With all patches the {comparison.spec.measured} is {number(whole)}; with none (only the "
        f"{baseline_label(comparison.baseline)}) it is {number(none)}."
    )
    if is_inconclusive(bounds):
        text += " It falls by less than half, so the curves would say little"
        other = next(kind for kind in BASELINES if kind != comparison.baseline)
        lower = _bounds(replace(comparison, baseline=other))[1] < none
        text += f": try the {baseline_label(other)}." if lower else "."
    return text


def title(name: str) -> str:
    """Return the name of a patch order."""
    return f"Random (mean of {ORDERS})" if name == RANDOM else METHODS[name].title
