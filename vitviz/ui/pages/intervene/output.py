"""What the model returns, before and after: its likeliest classes, or how far its feature has turned."""

from __future__ import annotations

import html

import numpy as np
import streamlit as st

from ....analysis.predictions import predictions
from ....notation.marks import percent
from ...app.messages import escape_markdown
from ...widgets import drawing
from ...widgets.strips import number
from .pair import Pair

ALL_CLASSES = 10**6
SHOWN = 5  # classes; always as many, so that nothing below moves
STYLE = """<style>
.vv-answer .vv-bar { display: block; width: auto; margin: 0.15rem 0 0.2rem; }
.vv-answer td:first-child { max-width: 7rem; overflow: hidden; text-overflow: ellipsis; }
.vv-answer th, .vv-answer td { padding: 0.1rem 0.7rem 0.1rem 0; }
.vv-answer td:nth-child(2), .vv-answer td:nth-child(3) { width: 32%; }
.vv-answer td:last-child { padding-right: 0; text-align: right; }
.vv-answer th:last-child { text-align: right; }
.vv-result { font-size: 1.15rem; font-variant-numeric: tabular-nums; }
</style>"""


def output(pair: Pair) -> None:
    """What the model returns: its likeliest classes, or how far its feature has turned."""
    st.header("What the model says", anchor=False)
    if pair.before.model.is_classifier:
        _classes(pair)
    else:
        _feature(pair)


def _classes(pair: Pair) -> None:
    found = [{one.index: one for one in predictions(trace, ALL_CLASSES)} for trace in (pair.before, pair.after)]
    top = [max(ones.values(), key=lambda one: one.probability).label for ones in found]
    larger = {index: max(ones[index].probability for ones in found) for index in found[0]}
    shown = sorted(sorted(larger, key=larger.get)[-SHOWN:], key=lambda index: -found[0][index].probability)
    rows = []
    for index in shown:
        one, other = (ones[index] for ones in found)
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
    same = "The likeliest class is still" if first == second else f"Before it was {first}; now the likeliest class is"
    kinds = "" if pair.before.model.output_kind == "classes" else " Each class is a question of its own."
    st.caption(
        escape_markdown(
            f"{same} {second}. The change is in percentage points; shown are the classes that are likeliest before or "
            f"after.{kinds}"
        )
    )


def _feature(pair: Pair) -> None:
    one, other = (trace.output.astype(np.float64) for trace in (pair.before, pair.after))
    lengths = np.linalg.norm(one), np.linalg.norm(other)
    cosine = float(one @ other / (lengths[0] * lengths[1] or 1)) if pair.edits else 1.0
    what = "output" if pair.before.config.num_classes else "feature"
    st.html(
        f'<p class="vv-result" data-testid="cosine" data-cosine="{cosine:.9f}">Cosine of the {what} with the original: '
        f"<b>{number(cosine)}</b></p>"
    )
    st.caption(
        f"1 is the same direction, 0 unrelated. Its length was {number(float(lengths[0]), 2)} and is now "
        f"{number(float(lengths[1]), 2)}. This model names no classes, so its {what} is compared."
    )
