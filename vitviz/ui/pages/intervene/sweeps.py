"""Sweeps: what each head, layer or patch does for this image, one switched off at a time."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import streamlit as st
import torch

from ....analysis.ablation import Score, class_score, distance
from ....analysis.ablation.sweep import SUBLAYERS, each_head, each_layer, each_patch
from ....analysis.attribution.progress import Progress
from ....analysis.predictions import predictions
from ....trace.trace import Trace
from ...app import cache, jobs, state, waits, watching
from ...app.remembered import remembered
from ...app.words import literally
from ...components.patches import Overlay, patch_picker
from ...widgets import drawing
from ...widgets.panels import CHART
from . import cached, charts, chosen

EACH = {"heads": each_head, "layers": each_layer, "patches": each_patch}
HOW = {"zero": "zero", "mean": "mean over the tokens"}
HOW_PATCH = {"keys": "hidden", "mean": "mean of the patches"}
ONE = {"heads": "one head", "layers": "attention or MLP of one layer", "patches": "one patch"}
OUTPUTS = Score("output", lambda outputs: outputs)  # all of it, from which any score follows later
TOKENS_AT_ONCE = 2048  # in one batch: a good half of a second on two cores
LARGEST = 8  # effects that are listed
PAGE = "intervene"
MOST_KEPT = 4_000_000  # numbers of outputs; where there are more, only the score is kept
SHARES = (0.62, 0.38)  # of the width: cells that are not much wider than high
NAMES = {"attention": "attention", "mlp": "MLP"}
# Streamlit takes what is no longer there away when a run ends, and the runs of a sweep end only with the sweep.
STYLE = "<style>:has(> .st-key-sweep_stop) > .st-key-sweep_run { display: none; }</style>"

_so_far: dict[tuple, list[np.ndarray]] = {}  # results of the sweeps that are going on, by their keys


@dataclass(frozen=True, eq=False)
class Sweep:
    """What is asked for.

    Attributes:
        trace: the pass without edits.
        what: `"heads"`, `"layers"` or `"patches"`.
        how: what stands in for what is off.
        score: what is measured.
        target: the class and the quantity of it that the score is of; empty without classes.
    """

    trace: Trace
    what: str
    how: str
    score: Score
    target: tuple = ()

    @property
    def passes(self) -> int:
        """How many parts are switched off, each in a pass of its own."""
        patches = self.trace.token_count - self.trace.prefix
        return {"heads": self.trace.layers * self.trace.heads, "layers": 2 * self.trace.layers, "patches": patches}[
            self.what
        ]

    @property
    def batches(self) -> int:
        """In how many steps that is done."""
        if self.what == "layers":
            return self.trace.layers
        rows = 1 if self.what == "patches" else self.trace.layers
        return rows * -(-self.passes // rows // self.at_once)

    @property
    def at_once(self) -> int:
        """Number of passes in one batch: as many as take a moment, for others wait so long for their turn."""
        return max(1, TOKENS_AT_ONCE // self.trace.token_count)

    @property
    def key(self) -> tuple:
        """What the passes depend on: not on the score, if the whole outputs are kept."""
        return self.what, self.how, None if self._keeps_outputs else self.target

    def run(self) -> Iterator[np.ndarray]:
        """The results, step by step: changes of the output, or of the score."""
        score = OUTPUTS if self._keeps_outputs else self.score
        bounded = {} if self.what == "layers" else {"at_once": self.at_once}
        return EACH[self.what](self.trace.model, self.trace, score, how=self.how, **bounded)

    def effects(self, found: list[np.ndarray]) -> np.ndarray:
        """The changes of the score, from the results of all steps: [layer, head], [layer, 2] or [row, column].

        From those of the first steps in a sweep of heads or layers, the other layers are NaN.
        """
        changes = np.concatenate(found)
        if self._keeps_outputs:
            before = torch.tensor(self.trace.output)[None]
            changes = (self.score.of(before + torch.tensor(changes)) - self.score.of(before)).numpy()
        if self.what == "patches":
            return changes.reshape(self.trace.grid)
        every = np.full(self.passes, np.nan, np.float32)
        every[: changes.size] = changes.ravel()
        return every.reshape(self.trace.layers, -1)

    @property
    def _keeps_outputs(self) -> bool:
        return self.passes * self.trace.output.size <= MOST_KEPT

    def name(self, place: tuple[int, int]) -> str:
        """What stands at a place of the results, such as `"layer 3, head 2"`."""
        first, second = (at + 1 for at in place)
        if self.what == "patches":
            return f"patch ({first}, {second})"
        return f"layer {first}, {f'head {second}' if self.what == 'heads' else NAMES[SUBLAYERS[place[1]]]}"

    @property
    def title(self) -> str:
        """What the numbers are."""
        how = (HOW_PATCH if self.what == "patches" else HOW)[self.how]
        what = "output" if self.trace.config.num_classes else "feature"
        turned = f"{what} turns away from the original (1 − cosine)"
        changed = f"{self.score.label} changes" if self.target else turned
        return f"How far the {changed} when {ONE[self.what]} is off ({how})"

    def csv(self, effects: np.ndarray) -> str:
        """The results as a table with a head."""
        first, second = {"heads": ("layer", "head"), "layers": ("layer", "part"), "patches": ("row", "column")}[
            self.what
        ]
        buffer = io.StringIO()
        write = csv.writer(buffer, lineterminator="\n").writerow
        write((first, second, "off", "effect", "score"))
        for (i, j), effect in np.ndenumerate(effects):
            write(
                (i + 1, SUBLAYERS[j] if self.what == "layers" else j + 1, self.how, f"{effect:.9g}", self.score.label)
            )
        return buffer.getvalue()


def sweeps(choice: state.Choice, trace: Trace) -> None:
    """Choosing a sweep, running it, and what it found."""
    st.header("Sweep: what does each part do?", anchor=False)
    st.markdown(
        "Every head, layer or patch is switched off alone, from the model without your changes, and the change of one "
        "number is measured."
    )
    asked = _ask(choice, trace)
    key = ("sweep", choice.key, *asked.key)
    if st.session_state.pop("sweep_begins", False):  # what is chosen now may be newer than the button that was clicked
        st.session_state.sweep_asked = key
    found = cache.results.get(key)
    if found is None:
        _run_when_asked(asked, key, choice)
    else:
        _show(choice, asked, asked.effects(found))


def _ask(choice: state.Choice, trace: Trace) -> Sweep:
    with st.container(horizontal=True):  # remembered, so that who comes back finds what is going on
        draw = partial(st.segmented_control, "Switch off each of", list(EACH), required=True)
        what = remembered(draw, "sweep_what", "heads")
        hows = HOW_PATCH if what == "patches" else {name: HOW[name] for name in ("zero", "mean")}
        key = "sweep_how_patch" if what == "patches" else "sweep_how"
        draw = partial(st.selectbox, "Off means", list(hows), format_func=hows.get, width=220)
        how = remembered(draw, key, next(iter(hows)))
        if not trace.model.is_classifier:
            return Sweep(trace, what, how, distance(trace))
        names = {one.index: one.label for one in predictions(trace, trace.config.num_classes)}
        key = f"sweep_class_{choice.picked.digest[:8]}"  # the likeliest at first, for each image
        draw = partial(st.selectbox, "Class", list(names), format_func=names.get, width=220)
        index = remembered(draw, key, next(iter(names)), names)
        draw = partial(st.selectbox, "Measured", ["probability", "logit"], width=150)
        quantity = remembered(draw, "sweep_quantity", "probability")
    return Sweep(trace, what, how, class_score(trace.model, index, quantity), (index, quantity))


def _run_when_asked(asked: Sweep, key: tuple, choice: state.Choice) -> None:
    """A button that begins the sweep, or the sweep that is going on with a button that stops it."""
    pace, expected = waits.pace_key(choice, asked.trace, f"sweep of {asked.what}"), _expected(asked, choice)
    with st.container():
        if st.session_state.get("sweep_asked") != key:
            st.button("Run the sweep", key="sweep_run", icon=":material/play_arrow:", on_click=_begin)
            st.caption(f"Takes {waits.about(expected)} on this server: {asked.passes} passes.")
            if st.session_state.pop("sweep_stopped", False):
                st.caption("Stopped; what was found so far is not kept.")
            return
        bar = st.progress(0.0)
        st.button("Stop", key="sweep_stop", icon=":material/stop_circle:", on_click=_stop)
    recorded = replace(asked, trace=cached.for_sweeps(choice))
    job = jobs.shared().join(key, _task(recorded, key), jobs.visitor(PAGE))
    _show_part(asked, list(_so_far.get(key, ())))
    if watching.ended(job, bar, expected):
        if job.error is None:
            waits.paces().note(pace, job.seconds, job.total)
        if not isinstance(job.error, jobs.AbandonedError):
            del st.session_state.sweep_asked
            if job.error is not None:
                raise job.error
    watching.again()


def _expected(asked: Sweep, choice: state.Choice) -> float:
    """Seconds; a pass that begins at a layer needs half of them on average."""
    weight = 1.0 if asked.what == "patches" else 0.5
    each = asked.passes / asked.batches
    return waits.expected(choice, asked.trace, f"sweep of {asked.what}", asked.batches, each * weight)


def _task(asked: Sweep, key: tuple) -> jobs.Task:
    """Task that runs the sweep and keeps its result for all, in any thread."""

    def work(report: Progress) -> list[np.ndarray]:
        found, steps = [], asked.run()
        _so_far[key] = found
        try:
            for done in range(1, asked.batches + 1):
                found.append(next(steps))
                report(done, asked.batches)
            return found
        finally:
            del _so_far[key]

    return lambda report: cache.results.made(key, lambda: work(report))


def _begin() -> None:
    jobs.shared().wait_only_for([], jobs.visitor(PAGE))
    st.session_state.sweep_begins = True


def _stop() -> None:
    jobs.shared().wait_only_for([], jobs.visitor(PAGE))
    st.session_state.pop("sweep_asked", None)
    st.session_state.sweep_stopped = True


def _show_part(asked: Sweep, found: list[np.ndarray]) -> None:
    """The layers that are done, while a sweep goes on; patches come in no order that says much."""
    if not found or asked.what == "patches":
        return
    done = len(found) * asked.trace.layers // asked.batches
    st.markdown(f"**{literally(asked.title)}**  \nSo far {done} of {asked.trace.layers} layers.")
    with st.columns(SHARES, gap="large")[0]:
        chart = charts.effects(asked.effects(found), asked.what, asked.score.signed)
        st.plotly_chart(chart, config=CHART, key="sweep_part", alt=f"{asked.title}, of some layers")


def _show(choice: state.Choice, asked: Sweep, effects: np.ndarray) -> None:
    """What was found, largest first, and where."""
    st.markdown(f"**{literally(asked.title)}**  \n{literally(_strongest(asked, effects))}")
    if asked.what == "patches":
        _on_the_picture(choice, asked, effects)
    else:
        _on_a_board(asked, effects)
    st.download_button(
        "Numbers (CSV)",
        asked.csv(effects),
        f"vitviz-sweep-{asked.what}-{asked.how}.csv",
        "text/csv",
        key="sweep_csv",
        on_click="ignore",
    )


def _strongest(asked: Sweep, effects: np.ndarray) -> str:
    named = [f"{name} ({effect})" for name, effect in _ordered(asked, effects, 3)]
    return f"It changes most without {', '.join(named)}."


def _ordered(asked: Sweep, effects: np.ndarray, count: int) -> list[tuple[str, str]]:
    """The parts with the largest effects, and these, in words."""
    order = np.argsort(-np.abs(effects), axis=None)[:count]
    places = [tuple(map(int, np.unravel_index(at, effects.shape))) for at in order]
    return [(asked.name(place), _say(float(effects[place]), asked.score.signed)) for place in places]


def _say(effect: float, signed: bool = True) -> str:
    digits = f"{effect:+#.3g}" if signed else f"{effect:#.3g}"
    return digits.replace("-", "−")


def _on_a_board(asked: Sweep, effects: np.ndarray) -> None:
    """The effects of heads or of the halves of blocks, each of which a click switches; and the largest in order."""
    left, right = st.columns(SHARES, gap="large")
    key = f"sweep_chart_{asked.what}"
    with left:
        st.plotly_chart(
            charts.effects(effects, asked.what, asked.score.signed),
            config=CHART,
            key=key,
            alt=asked.title,
            on_select=lambda: _switch_clicked(asked, key),
            selection_mode="points",
        )
        st.caption("Click a cell to switch that part off above, or on again; by keyboard, use the board.")
    with right:
        rows = _ordered(asked, effects, LARGEST)
        st.html(drawing.table(("without", "1 − cosine" if not asked.score.signed else "change"), rows))


def _switch_clicked(asked: Sweep, key: str) -> None:
    """Switch what was clicked in the chart, which tells what is selected; a second click on a cell selects nothing."""
    clicked = [list(point.get("customdata", ())) for point in st.session_state[key].selection.points]
    columns = asked.trace.heads if asked.what == "heads" else len(SUBLAYERS)
    told = {cell for cell in np.ndindex(asked.trace.layers, columns) if list(cell) in clicked}
    before = st.session_state.get(f"{key}_told", set())
    st.session_state[f"{key}_told"] = told
    for layer, column in told - before or before - told or told:  # alike, if the chart has forgotten in between
        chosen.switch_as(asked.trace, asked.how, layer, column if asked.what == "heads" else SUBLAYERS[column])


def _on_the_picture(choice: state.Choice, asked: Sweep, effects: np.ndarray) -> None:
    signed = asked.score.signed
    values = effects if signed else np.maximum(effects, 0)  # rounding may leave a hair below 0
    words = f"{asked.title}; click a patch to switch it off above"
    patch_picker(
        state.picture(choice, 640),
        choice.picked.name,
        asked.trace.grid,
        None,
        on_choose=lambda row, column: chosen.switch_patch(asked.trace, asked.how, row, column),
        overlay=Overlay(values, words, signed=signed, say=lambda effect: _say(effect, signed)),
        switching=True,
        key="sweep_picture",
    )
