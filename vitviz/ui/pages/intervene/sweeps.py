"""Sweeps: effect of ablating each head, sublayer or patch, one at a time."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import plotly.graph_objects as go
import streamlit as st
import torch

from ....analysis.ablation import Score, class_score, distance
from ....analysis.ablation.sweep import each_head, each_layer, each_patch
from ....analysis.predictions import predictions
from ....analysis.ranking import largest
from ....model.edits import SUBLAYERS
from ....trace.trace import Trace
from ....viz.colour import plotly_scale
from ...app import state
from ...app.jobs import background, durations
from ...app.jobs.queue import Job
from ...app.messages import escape_markdown
from ...components.patches import Overlay, patch_picker
from ...widgets import drawing
from ...widgets.charts import draw_chart
from . import edit_actions, edited_passes
from .settings import HOW, HOW_PATCH, MEASURED, QUANTITY, SWEPT

EACH = {"heads": each_head, "layers": each_layer, "patches": each_patch}
LABELS = {"zero": "zero", "mean": "mean over the tokens"}
PATCH_LABELS = {"keys": "mask", "mean": "mean of the patches"}
ONE = {"heads": "one head", "layers": "attention or MLP of one layer", "patches": "one patch"}
OUTPUTS = Score("output", lambda outputs: outputs)  # the whole output, from which any score can be computed later
TOKENS_AT_ONCE = 2048  # per batch; a good half of a second on two cores
LARGEST = 8  # number of effects in the list
MOST_KEPT = 4_000_000  # maximum number of output values to keep; beyond it, only scores are kept
SHARES = (0.62, 0.38)  # of the width, for nearly square cells
NAMES = {"attention": "attention", "mlp": "MLP"}


@dataclass(frozen=True, eq=False)
class Sweep:
    """Parameters of a sweep.

    Attributes:
        trace: the pass without edits.
        what: `"heads"`, `"layers"` or `"patches"`.
        how: kind of ablation.
        score: the measured score.
        target: class and quantity of the score; empty without classes.
    """

    trace: Trace
    what: str
    how: str
    score: Score
    target: tuple = ()

    @property
    def passes(self) -> int:
        """Number of ablated parts, each in its own pass."""
        patches = self.trace.token_count - self.trace.prefix
        return {"heads": self.trace.layers * self.trace.heads, "layers": 2 * self.trace.layers, "patches": patches}[
            self.what
        ]

    @property
    def batches(self) -> int:
        """Number of batches."""
        if self.what == "layers":
            return self.trace.layers
        rows = 1 if self.what == "patches" else self.trace.layers
        return rows * -(-self.passes // rows // self.at_once)

    @property
    def at_once(self) -> int:
        """Number of passes per batch; small, because other users wait for the end of a batch."""
        return max(1, TOKENS_AT_ONCE // self.trace.token_count)

    @property
    def key(self) -> tuple:
        """Cache key of the passes; independent of the score if whole outputs are kept."""
        return self.what, self.how, None if self._keeps_outputs else self.target

    def run(self) -> Iterator[np.ndarray]:
        """Yield the results batch by batch: changes of the output or of the score."""
        score = OUTPUTS if self._keeps_outputs else self.score
        bounded = {} if self.what == "layers" else {"at_once": self.at_once}
        return EACH[self.what](self.trace.model, self.trace, score, how=self.how, **bounded)

    def effects(self, results: Sequence[np.ndarray]) -> np.ndarray:
        """Return the changes of the score, [layer, head], [layer, 2] or [row, column].

        Layers without results yet are NaN.
        """
        changes = np.concatenate(results)
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
        """Return the name of a part, such as `"layer 3, head 2"`."""
        first, second = (at + 1 for at in place)
        if self.what == "patches":
            return f"patch ({first}, {second})"
        return f"layer {first}, {f'head {second}' if self.what == 'heads' else NAMES[SUBLAYERS[place[1]]]}"

    @property
    def title(self) -> str:
        """Title of the results."""
        how = (PATCH_LABELS if self.what == "patches" else LABELS)[self.how]
        what = "output" if self.trace.config.num_classes else "feature"
        measured = f"the {self.score.label}" if self.target else f"the {what} (1 − cosine with the original)"
        return f"Change of {measured} when {ONE[self.what]} is ablated ({how})"

    def csv(self, effects: np.ndarray) -> str:
        """Return the results as CSV with a header."""
        first, second = {"heads": ("layer", "head"), "layers": ("layer", "part"), "patches": ("row", "column")}[
            self.what
        ]
        buffer = io.StringIO()
        write = csv.writer(buffer, lineterminator="\n").writerow
        write((first, second, "ablation", "effect", "score"))
        for (i, j), effect in np.ndenumerate(effects):
            write(
                (i + 1, SUBLAYERS[j] if self.what == "layers" else j + 1, self.how, f"{effect:.9g}", self.score.label)
            )
        return buffer.getvalue()


def sweeps(choice: state.Choice, trace: Trace) -> None:
    """Draw the settings of a sweep and its results."""
    st.header("Ablation sweep", anchor=False)
    st.markdown(
        "Ablate every head, sublayer or patch on its own, in the model without your edits, and measure the change of "
        "one score."
    )
    sweep = _choose_sweep(choice, trace)
    key, detail = ("sweep", choice.key, *sweep.key), f"{sweep.passes} passes"
    work = background.Work(key, "sweep", "sweep_run", "Run the sweep", detail=detail)
    results = background.result(work, partial(_step, sweep, choice, key), partial(_show_part, sweep))
    if results is not None:
        _show(choice, sweep, sweep.effects(results))


def _choose_sweep(choice: state.Choice, trace: Trace) -> Sweep:
    with st.container(horizontal=True):  # remembered, so that a returning user finds a running sweep
        what = SWEPT.draw(st.segmented_control, "Ablate each of", list(EACH), required=True)
        labels, setting = (PATCH_LABELS, HOW_PATCH) if what == "patches" else (LABELS, HOW)
        how = setting.draw(st.selectbox, "Ablation", list(labels), format_func=labels.get, width=220)
        if not trace.model.is_classifier:
            return Sweep(trace, what, how, distance(trace))
        names = {one.index: one.label for one in predictions(trace, trace.config.num_classes)}
        index = MEASURED.draw(st.selectbox, "Class", list(names), context=choice, format_func=names.get, width=220)
        quantity = QUANTITY.draw(st.selectbox, "Score", ["probability", "logit"], width=150)
    return Sweep(trace, what, how, class_score(trace.model, index, quantity), (index, quantity))


def _step(sweep: Sweep, choice: state.Choice, key: tuple) -> background.Step:
    kind, each = f"sweep of {sweep.what}", sweep.passes / sweep.batches
    weight = each if sweep.what == "patches" else 0.5 * each  # a pass from a layer on is half a pass on average
    seconds = durations.expected(choice, sweep.trace, kind, sweep.batches, weight)
    pace = durations.pace_key(choice, sweep.trace, kind)
    return background.Step(key, partial(_run, sweep, choice), seconds, pace=pace)


def _run(sweep: Sweep, choice: state.Choice, job: Job) -> list[np.ndarray]:
    """Return the results of all batches; may run in any thread. Partial results are visible meanwhile."""
    job.part = results = []
    steps = replace(sweep, trace=edited_passes.for_sweeps(choice)).run()
    for done in range(1, sweep.batches + 1):
        results.append(next(steps))
        job(done, sweep.batches)
    return results


def _show_part(sweep: Sweep, part: list[np.ndarray]) -> None:
    """Draw the finished layers of a running sweep; partial results of patches are not shown."""
    results = list(part)
    if not results or sweep.what == "patches":
        return
    done = len(results) * sweep.trace.layers // sweep.batches
    with st.container(key="sweep_so_far"):
        st.markdown(f"**{escape_markdown(sweep.title)}**  \nSo far {done} of {sweep.trace.layers} layers.")
    with st.columns(SHARES, gap="large")[0]:
        chart = effects_chart(sweep.effects(results), sweep.what, sweep.score.signed)
        draw_chart(chart, "sweep_part", f"{sweep.title}, finished layers")


def _show(choice: state.Choice, sweep: Sweep, effects: np.ndarray) -> None:
    """Draw the results: the largest effects and the map of all."""
    with st.container(key="sweep_summary"):
        st.markdown(f"**{escape_markdown(sweep.title)}**  \n{escape_markdown(_strongest(sweep, effects))}")
    if sweep.what == "patches":
        _draw_on_image(choice, sweep, effects)
    else:
        _draw_effects(sweep, effects)
    st.download_button(
        "Numbers (CSV)",
        sweep.csv(effects),
        f"vitviz-sweep-{sweep.what}-{sweep.how}.csv",
        "text/csv",
        key="sweep_csv",
        on_click="ignore",
    )


def _strongest(sweep: Sweep, effects: np.ndarray) -> str:
    named = [f"{name} ({effect})" for name, effect in _ordered(sweep, effects, 3)]
    return f"Largest changes for {', '.join(named)}."


def _ordered(sweep: Sweep, effects: np.ndarray, count: int) -> list[tuple[str, str]]:
    """Return names and formatted values of the parts with the largest effects."""
    places = largest(np.abs(effects), count)
    return [(sweep.name(place), _format(float(effects[place]), sweep.score.signed)) for place in places]


def _format(effect: float, signed: bool = True) -> str:
    digits = f"{effect:+#.3g}" if signed else f"{effect:#.3g}"
    return digits.replace("-", "−")


def _draw_effects(sweep: Sweep, effects: np.ndarray) -> None:
    """Draw the effects of heads or sublayers as a chart whose cells toggle an ablation, and the largest in a table."""
    left, right = st.columns(SHARES, gap="large")
    key = f"sweep_chart_{sweep.what}"
    with left:
        draw_chart(
            effects_chart(effects, sweep.what, sweep.score.signed),
            key=key,
            alt=sweep.title,
            on_select=lambda: _toggle_clicked(sweep, key),
            selection_mode="points",
        )
        st.caption("Click a cell to ablate that part above, or to undo it. With the keyboard, use the board.")
    with right:
        rows = _ordered(sweep, effects, LARGEST)
        st.html(drawing.table(("ablated", "1 − cosine" if not sweep.score.signed else "change"), rows))


def _toggle_clicked(sweep: Sweep, key: str) -> None:
    """Toggle the clicked cell. The chart reports the selection; a second click on a cell clears it."""
    clicked = [list(point.get("customdata", ())) for point in st.session_state[key].selection.points]
    columns = sweep.trace.heads if sweep.what == "heads" else len(SUBLAYERS)
    selected = {cell for cell in np.ndindex(sweep.trace.layers, columns) if list(cell) in clicked}
    before = st.session_state.get(f"{key}_selected", set())
    st.session_state[f"{key}_selected"] = selected
    for layer, column in selected - before or before - selected or selected:  # equal if the chart was drawn anew
        part = column if sweep.what == "heads" else SUBLAYERS[column]
        edit_actions.toggle_ablation(sweep.trace, sweep.how, layer, part)


def _draw_on_image(choice: state.Choice, sweep: Sweep, effects: np.ndarray) -> None:
    signed = sweep.score.signed
    values = effects if signed else np.maximum(effects, 0)  # rounding may give values just below 0
    caption = f"{sweep.title}; click a patch to ablate it above"
    patch_picker(
        state.picture(choice, 640),
        choice.picked.name,
        sweep.trace.grid,
        None,
        on_choose=lambda row, column: edit_actions.toggle_patch(sweep.trace, sweep.how, row, column),
        overlay=Overlay(values, caption, signed=signed, format=lambda effect: _format(effect, signed)),
        switching=True,
        key="sweep_picture",
    )


def effects_chart(effects: np.ndarray, what: str, signed: bool) -> go.Figure:
    """Return a heat map of the effects of heads [layer, head] or sublayers [layer, 2].

    Args:
        effects: the effects; NaN where not known yet.
        what: `"heads"` or `"layers"`.
        signed: whether effects may be negative; then the colours are centred on 0.
    """
    layers, columns = effects.shape
    names = ["attention", "MLP"] if what == "layers" else [str(head + 1) for head in range(columns)]
    part = "%{x}" if what == "layers" else "head %{x}"
    largest = float(np.nan_to_num(np.abs(effects)).max()) or 1.0
    heat = go.Heatmap(
        z=effects,
        x=names,
        y=[str(layer + 1) for layer in range(layers)],
        zmin=-largest if signed else 0,
        zmax=largest,
        colorscale=plotly_scale("relative", signed=signed),
        colorbar={
            "thickness": 10,
            "outlinewidth": 0,
            "exponentformat": "e",
            "title": {"text": "change" if signed else "1 − cosine", "side": "top"},
        },
        hoverinfo="skip",
        xgap=1,
        ygap=1,
    )
    places = [place for place in np.ndindex(effects.shape) if not np.isnan(effects[place])]
    clicked = go.Scatter(  # heat maps cannot be clicked in Streamlit, so invisible squares cover the cells
        x=[names[column] for _, column in places],
        y=[str(layer + 1) for layer, _ in places],
        mode="markers",
        marker={"symbol": "square", "size": 22, "opacity": 0},
        selected={"marker": {"opacity": 0}},
        unselected={"marker": {"opacity": 0}},
        customdata=places,
        text=[f"{effects[place]:.4g}" for place in places],
        hovertemplate=f"layer %{{y}}, {part}<br>%{{text}}<extra></extra>",
        showlegend=False,
    )
    return go.Figure(
        [heat, clicked],
        {
            "height": 90 + 24 * layers,
            "hovermode": "closest",
            "hoverdistance": -1,  # the nearest centre is that of the cell, however wide
            "margin": {"l": 10, "r": 10, "t": 10, "b": 10},
            "xaxis": {"title": "" if what == "layers" else "head", "type": "category", "showgrid": False},
            "yaxis": {"title": "layer", "type": "category", "autorange": "reversed", "showgrid": False},
        },
    )
