"""Which explanation to believe: what is left of the target when patches go in the order of each map."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import streamlit as st

from ....analysis.attribution import METHODS
from ....analysis.attribution.baselines import baseline_words
from ....analysis.attribution.faithfulness import BASELINES, Curves, curves, endpoints, random_curves
from ....errors.progress import Progress
from ....trace.trace import Trace
from ...app import cache, state
from ...app.jobs import background, durations
from ...app.jobs.queue import Task
from ...app.messages import escape_markdown
from ...widgets.panels import CHART
from ...widgets.strips import number
from . import auc_table as areas
from . import charts
from .board import asks
from .maps import PLACE, Ask, compute, known
from .settings import BASELINE
from .targets import Aim, target_of

ORDERS = 5  # random ones, of which the mean is drawn
TITLES = {"deletion": "**Deletion**: lower is better", "insertion": "**Insertion**: higher is better"}
COARSE, FINE = 4, 16  # steps in which patches go and come: at first, and in the end
RANDOM = "random"  # stands for them where a method's name would stand


@dataclass(frozen=True)
class Contest:
    """What is compared: all maps of one target that are there.

    Attributes:
        choice: image and model.
        aim: what is measured while patches go and come.
        baseline: what stands for missing patches.
        asks: the maps.
    """

    choice: state.Choice
    aim: Aim
    baseline: str
    asks: tuple[Ask, ...]

    @property
    def key(self) -> tuple:
        """What a visitor asks for; the curves of maps that are computed later belong to it, too."""
        return "contest", self.choice.key, self.aim.key, self.baseline

    def keys(self) -> dict[str, tuple]:
        """What identifies the curves of each map, and of random orders, among all visitors."""
        return {RANDOM: (*self.key, RANDOM)} | {ask.method: (*self.key, ask.key) for ask in self.asks}

    def known(self, points: int = FINE) -> dict[str, Curves]:
        """The curves with so many points that were computed for anybody."""
        found = {name: cache.results.get((*key, points)) for name, key in self.keys().items()}
        return {name: result for name, result in found.items() if result is not None}


def compare(choice: state.Choice, trace: Trace, aims: Sequence[Aim]) -> list[background.Request]:
    """Draw the comparison of all maps that are there, for each target; what is left to compute is returned."""
    st.header("Which one to believe", anchor=False)
    st.markdown(
        "Take patches away, the most important first, and see how fast the target falls (deletion: low is good); or "
        "begin with nothing and put them back, the most important first, and see how fast it rises (insertion: high "
        "is good). A map that does no better than a random order has not found what the model uses. "
        "[Petsiuk et al. 2018, section 4.1](https://arxiv.org/abs/1806.07421)"
    )
    baseline = replace(BASELINE, default=lambda _: lowest(choice, aims[0])).draw(
        st.segmented_control,
        "Missing patches are replaced by the",
        BASELINES,
        context=choice,
        format_func=baseline_words,
        required=True,
    )
    pending = []
    for place, aim in enumerate(aims):
        maps = tuple(ask for ask in asks(choice, trace, aim) if known(ask) is not None)
        with st.container(key=f"explain_contest_{place}"):
            pending += _contest(Contest(choice, aim, baseline, maps), place)
    return pending


def _contest(contest: Contest, place: int) -> list[background.Request]:
    target = target_of(contest.aim, contest.choice)
    found, rough = contest.known(), contest.known(COARSE)
    st.markdown(f"**Target {place + 1}: {escape_markdown(target.words)}**")
    bounds = _bounds(contest)
    st.caption(what_is_left(bounds, contest))
    left = _steps(contest, found, rough)
    label = "Compare the maps" if len(found) < 2 else "Compare the others, too"
    work = background.Work(contest.key, PLACE, f"explain_compare_{place}", label, left, keeps_parts=True)
    pending = background.start_button(work)
    if found or rough:
        if rough.keys() - found.keys():
            st.caption(f"Coarse: some curves have {COARSE + 1} points only, and their areas may change.")
        draw(rough | found, contest.aim.measured, place, tells=not left and not says_little(bounds))
    return pending


def _steps(contest: Contest, found: Mapping[str, Curves], rough: Mapping[str, Curves]) -> list[background.Step]:
    """Remaining steps: all curves with few points, and then with all."""
    missing = [name for name in contest.keys() if name not in found]  # noqa: SIM118
    coarse = [_step(contest, name, COARSE) for name in missing if name not in rough]
    return coarse + [_step(contest, name, FINE) for name in missing]


def _step(contest: Contest, name: str, points: int) -> background.Step:
    choice, trace = contest.choice, state.trace(contest.choice)
    words = title(name) + (", coarse" if points == COARSE else "")
    passes = 2 * (points + 1) * (ORDERS if name == RANDOM else 1)
    return background.Step(
        (*contest.keys()[name], points),
        _task(contest, name, points),
        durations.expected(choice, trace, "curves", passes),
        words,
        durations.pace_key(choice, trace, "curves"),
    )


def _bounds(contest: Contest) -> tuple[float, float]:
    """The target with all patches and with none, where all curves begin and end."""
    trace, target = state.trace(contest.choice), target_of(contest.aim, contest.choice)

    def measure() -> tuple[float, float]:
        with state.one_at_a_time:
            return endpoints(trace.model, trace, target, baseline=contest.baseline)

    return cache.results.get_or_compute((*contest.key, "bounds"), measure)


def lowest(choice: state.Choice, aim: Aim) -> str:
    """The baseline until the visitor chooses: the one that leaves least of the target of this image."""
    return min(BASELINES, key=lambda kind: _bounds(Contest(choice, aim, kind, ()))[1])


def says_little(bounds: tuple[float, float]) -> bool:
    """Whether most of the target is left when no patch is."""
    whole, none = bounds
    return whole > 0 and none > whole / 2


def _task(contest: Contest, name: str, points: int) -> Task:
    """Task that computes the curves of one map, or of random orders; in any thread."""
    trace, target = state.trace(contest.choice), target_of(contest.aim, contest.choice)
    how = {"baseline": contest.baseline, "steps": points}
    ask = next((ask for ask in contest.asks if ask.method == name), None)

    def work(progress: Progress) -> Curves:
        if ask is None:
            return random_curves(trace.model, trace, target, seeds=ORDERS, progress=progress, **how)
        found = compute(ask)  # or it is there
        return curves(trace.model, trace, found.map, target, progress=progress, **how)

    return work


def draw(found: Mapping[str, Curves], value: str, place: int, tells: bool) -> None:
    """Both charts on one scale, and the areas below their curves; no order is called best if they tell little."""
    names = [name for name in (*METHODS, RANDOM) if name in found]
    drawn = np.concatenate([values for one in found.values() for values in (one.deletion, one.insertion)])
    ends = float(drawn.min()), float(drawn.max())
    for column, kind in zip(st.columns(2, gap="large"), ("deletion", "insertion"), strict=True):
        lines = {title(name): (found[name].fraction, getattr(found[name], kind)) for name in names}
        with column:
            st.markdown(TITLES[kind])
            st.plotly_chart(
                charts.curves(lines, charts.AXES[kind], value, title(RANDOM), ends),
                config=CHART,
                key=f"explain_{kind}_{place}",
                alt=f"{kind.capitalize()} curves: {value} against {charts.AXES[kind]}, for {', '.join(lines)}",
            )
    st.html(areas.table({title(name): found[name] for name in names}, title(RANDOM), tells))


def what_is_left(bounds: tuple[float, float], contest: Contest) -> str:
    """What the target is with all patches and with none, where all curves begin and end."""
    whole, none = bounds
    words = (
        f"With all patches the {contest.aim.measured} is {number(whole)}; with none, which leaves the "
        f"{baseline_words(contest.baseline)}, it is {number(none)}."
    )
    if says_little(bounds):
        words += " It does not fall by half, so curves would say little"
        other = next(kind for kind in BASELINES if kind != contest.baseline)
        lower = _bounds(replace(contest, baseline=other))[1] < none
        words += f": try the {baseline_words(other)}." if lower else "."
    return words


def title(name: str) -> str:
    """What an order of the patches is called."""
    return f"Random (mean of {ORDERS})" if name == RANDOM else METHODS[name].title
