"""Sweeps: what each head, layer or patch does for this image, one switched off at a time."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import streamlit as st
import torch

from ....analysis.ablation import Score, class_score, distance
from ....analysis.ablation.sweep import each_head, each_layer, each_patch
from ....analysis.predictions import predictions
from ....model.edits import SUBLAYERS
from ....trace.trace import Trace
from ...app import state
from ...app.jobs import asking, durations
from ...app.jobs.queue import Job
from ...app.words import literally
from ...components.patches import Overlay, patch_picker
from ...widgets import drawing
from ...widgets.panels import CHART
from . import cached, charts, chosen
from .settings import HOW, HOW_PATCH, MEASURED, QUANTITY, SWEPT

EACH = {"heads": each_head, "layers": each_layer, "patches": each_patch}
WORDS = {"zero": "zero", "mean": "mean over the tokens"}
WORDS_PATCH = {"keys": "hidden", "mean": "mean of the patches"}
ONE = {"heads": "one head", "layers": "attention or MLP of one layer", "patches": "one patch"}
OUTPUTS = Score("output", lambda outputs: outputs)  # all of it, from which any score follows later
TOKENS_AT_ONCE = 2048  # in one batch: a good half of a second on two cores
LARGEST = 8  # effects that are listed
MOST_KEPT = 4_000_000  # numbers of outputs; where there are more, only the score is kept
SHARES = (0.62, 0.38)  # of the width: cells that are not much wider than high
NAMES = {"attention": "attention", "mlp": "MLP"}


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

    def effects(self, found: Sequence[np.ndarray]) -> np.ndarray:
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
        how = (WORDS_PATCH if self.what == "patches" else WORDS)[self.how]
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
    key, detail = ("sweep", choice.key, *asked.key), f"{asked.passes} passes"
    work = asking.Work(key, "sweep", "sweep_run", "Run the sweep", detail=detail)
    found = asking.result(work, partial(_step, asked, choice, key), partial(_show_part, asked))
    if found is not None:
        _show(choice, asked, asked.effects(found))


def _ask(choice: state.Choice, trace: Trace) -> Sweep:
    with st.container(horizontal=True):  # remembered, so that who comes back finds what is going on
        what = SWEPT.draw(st.segmented_control, "Switch off each of", list(EACH), required=True)
        words, setting = (WORDS_PATCH, HOW_PATCH) if what == "patches" else (WORDS, HOW)
        how = setting.draw(st.selectbox, "Off means", list(words), format_func=words.get, width=220)
        if not trace.model.is_classifier:
            return Sweep(trace, what, how, distance(trace))
        names = {one.index: one.label for one in predictions(trace, trace.config.num_classes)}
        index = MEASURED.draw(st.selectbox, "Class", list(names), context=choice, format_func=names.get, width=220)
        quantity = QUANTITY.draw(st.selectbox, "Measured", ["probability", "logit"], width=150)
    return Sweep(trace, what, how, class_score(trace.model, index, quantity), (index, quantity))


def _step(asked: Sweep, choice: state.Choice, key: tuple) -> asking.Step:
    kind, each = f"sweep of {asked.what}", asked.passes / asked.batches
    weight = each if asked.what == "patches" else 0.5 * each  # a pass that begins at a layer is half of one on average
    seconds = durations.expected(choice, asked.trace, kind, asked.batches, weight)
    pace = durations.pace_key(choice, asked.trace, kind)
    return asking.Step(key, partial(_run, asked, choice), seconds, pace=pace)


def _run(asked: Sweep, choice: state.Choice, job: Job) -> list[np.ndarray]:
    """The results of all steps, in any thread; others see those that are there."""
    job.part = found = []
    steps = replace(asked, trace=cached.for_sweeps(choice)).run()
    for done in range(1, asked.batches + 1):
        found.append(next(steps))
        job(done, asked.batches)
    return found


def _show_part(asked: Sweep, part: list[np.ndarray]) -> None:
    """The layers that are done, while a sweep goes on; patches come in no order that says much."""
    found = list(part)
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
