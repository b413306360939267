"""Output before and after: the most probable classes, or the cosine of the feature with the original."""

from __future__ import annotations

import html

import numpy as np
import streamlit as st

from ....analysis.predictions import predictions
from ....notation.marks import percent
from ...app import state
from ...app.messages import escape_markdown
from ...widgets import drawing
from ...widgets.strips import number
from ..teach.offer import offer_classes, offer_return
from .before_after import BeforeAfter

ALL_CLASSES = 10**6
SHOWN = 5  # classes; fixed, so that nothing below moves
STYLE = """<style>
.vv-answer .vv-bar { display: block; width: auto; margin: 0.15rem 0 0.2rem; }
.vv-answer td:first-child { max-width: 7rem; overflow: hidden; text-overflow: ellipsis; }
.vv-answer th, .vv-answer td { padding: 0.1rem 0.7rem 0.1rem 0; }
.vv-answer td:nth-child(2), .vv-answer td:nth-child(3) { width: 32%; }
.vv-answer td:last-child { padding-right: 0; text-align: right; }
.vv-answer th:last-child { text-align: right; }
.vv-result { font-size: 1.15rem; font-variant-numeric: tabular-nums; }
</style>"""


def output(choice: state.Choice, pair: BeforeAfter) -> None:
    """Draw the most probable classes, or the cosine of the feature with the original."""
    st.header("Model output", anchor=False)
    if pair.before.model.is_classifier:
        _classes(pair)
        offer_return()
    else:
        _feature(pair)
        offer_classes(choice)


def _classes(pair: BeforeAfter) -> None:
    results = [{one.index: one for one in predictions(trace, ALL_CLASSES)} for trace in (pair.before, pair.after)]
    top = [max(ones.values(), key=lambda one: one.probability).label for ones in results]
    larger = {index: max(ones[index].probability for ones in results) for index in results[0]}
    shown = sorted(sorted(larger, key=larger.get)[-SHOWN:], key=lambda index: -results[0][index].probability)
    rows = []
    for index in shown:
        one, other = (ones[index] for ones in results)
        change = 100 * (other.probability - one.probability)
        name = html.escape(one.label)
        rows.append(
            (
                f'<span title="{name}" data-class="{name}" data-before="{one.probability:.9f}" '
                f'data-after="{other.probability:.9f}">{name}</span>',
                drawing.bar(one.probability, percent(one.probability)),
                drawing.bar(other.probability, percent(other.probability)),
                f"{'+' if change > 0 else ''}{number(change, 2)}",
            )
        )
    st.html(f'<div class="vv-answer">{drawing.table(("class", "before", "after", "change"), rows)}</div>')
    first, second = top
    text = f"Top-1 is still {second}" if first == second else f"Top-1 changes from {first} to {second}"
    note = "" if pair.before.model.output_kind == "classes" else " Each class has an independent probability."
    st.caption(
        escape_markdown(
            f"{text}. Changes in percentage points; the list shows the most probable classes before or after.{note}"
        )
    )


def _feature(pair: BeforeAfter) -> None:
    one, other = (trace.output.astype(np.float64) for trace in (pair.before, pair.after))
    norms = np.linalg.norm(one), np.linalg.norm(other)
    cosine = float(one @ other / (norms[0] * norms[1] or 1)) if pair.edits else 1.0
    what = "output" if pair.before.config.num_classes else "feature"
    st.html(
        f'<p class="vv-result" data-testid="cosine" data-cosine="{cosine:.9f}">Cosine of the {what} with the original: '
        f"<b>{number(cosine)}</b></p>"
    )
    st.caption(
        f"1: same direction, 0: orthogonal. Its L2 norm was {number(float(norms[0]), 2)} and is now "
        f"{number(float(norms[1]), 2)}. This model has no classes, so its {what} is compared."
    )
