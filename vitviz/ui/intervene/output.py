"""What the model returns, before and after: its likeliest classes, or how far its feature has turned."""

from __future__ import annotations

import html

import numpy as np
import streamlit as st

from ...colour import percent
from ...predictions import predictions
from ..learn import drawing
from ..strips import number
from ..words import literally
from .pair import Pair

ALL_CLASSES = 10**6


def output(pair: Pair) -> None:
    """What the model returns: its likeliest classes, or how far its feature has turned."""
    st.subheader("What the model says", anchor=False)
    if pair.before.model.tells_classes:
        _classes(pair)
    else:
        _feature(pair)


def _classes(pair: Pair) -> None:
    found = [{one.index: one for one in predictions(trace, ALL_CLASSES)} for trace in (pair.before, pair.after)]
    top = [list(ones)[:5] for ones in found]
    shown = list(dict.fromkeys([*top[0], *top[1]]))
    rows = []
    for index in shown:
        one, other = (ones[index] for ones in found)
        change = 100 * (other.probability - one.probability)
        rows.append(
            (
                f'<span data-class="{html.escape(one.label)}" data-before="{one.probability:.9f}" '
                f'data-after="{other.probability:.9f}">{html.escape(one.label)}</span>',
                drawing.bar(one.probability, percent(one.probability)),
                drawing.bar(other.probability, percent(other.probability)),
                f"{'+' if change > 0 else ''}{number(change, 2)}",
            )
        )
    st.html(drawing.table(("class", "before", "after", "change"), rows))
    first, second = (ones[best[0]].label for ones, best in zip(found, top, strict=True))
    same = "The likeliest class is still" if first == second else f"Before it was {first}; now the likeliest class is"
    kinds = "" if pair.before.model.meaning == "classes" else " Each class is a question of its own."
    st.caption(
        literally(
            f"{same} {second}. Shown are the five likeliest before and after; the change is in "
            f"percentage points.{kinds}"
        )
    )


def _feature(pair: Pair) -> None:
    one, other = (trace.output.astype(np.float64) for trace in (pair.before, pair.after))
    lengths = np.linalg.norm(one), np.linalg.norm(other)
    cosine = float(one @ other / (lengths[0] * lengths[1] or 1)) if pair.edits else 1.0
    what = "output" if pair.before.config.classes else "feature"
    st.html(
        f'<p class="vv-result" data-testid="cosine" data-cosine="{cosine:.9f}">Cosine of the {what} with the original: '
        f"<b>{number(cosine)}</b></p>"
    )
    st.caption(
        f"1 is the same direction, 0 unrelated. Its length was {number(float(lengths[0]), 2)} and is now "
        f"{number(float(lengths[1]), 2)}. This model names no classes, so its {what} is compared."
    )
