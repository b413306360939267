"""Figures of a head: accuracy, confusion matrix, notes, and the images of which it is least certain."""

from __future__ import annotations

import html

import numpy as np
import streamlit as st

from ....analysis import classifier
from ....analysis.classifier import CrossValidation
from ....notation.marks import percent
from ....viz.inline import data_url
from ...app.messages import escape_markdown
from ...widgets import drawing
from .fitting import TaughtSet

UNCERTAIN = 5  # images that are shown

STYLE = """<style>
.vv-confusion { width: auto; }
.vv-confusion th:first-child { white-space: nowrap; }
.vv-confusion td:first-child, .vv-confusion th { max-width: 9rem; overflow: hidden; text-overflow: ellipsis; }
.vv-unsure { display: flex; flex-wrap: wrap; gap: 0.8rem; }
.vv-unsure figure { margin: 0; width: 10.4rem; font-size: 0.85rem; line-height: 1.35; overflow-wrap: anywhere; }
.vv-unsure span { display: flex; gap: 0.3rem; }
.vv-unsure img { width: 5.05rem; border-radius: 4px; }
.vv-unsure small, .vv-relevance small { font-size: 0.78rem; opacity: 0.75; }
.vv-relevance { display: flex; flex-wrap: wrap; gap: 0.8rem; }
.vv-relevance figure { margin: 0; width: 15rem; max-width: 100%; font-size: 0.85rem; line-height: 1.35; }
.vv-relevance figure { overflow-wrap: anywhere; }
.vv-relevance span { display: grid; grid-template-columns: 1fr 1fr; gap: 0.3rem; }
.vv-relevance img { display: block; width: 100%; border-radius: 4px; }
.st-key-teach_prediction .vv-outcome { flex-direction: column; align-items: stretch; }
.st-key-teach_prediction .vv-outcome ol { grid-template-columns: minmax(0, 1fr); }
.vv-present { display: block; width: 9rem; max-width: 100%; border-radius: 6px; }
</style>"""


def method_label(result: CrossValidation) -> str:
    """Return the name of the cross-validation."""
    return "Leave-one-out" if result.is_leave_one_out else f"Cross-validation, {result.folds} folds"


def accuracy(result: CrossValidation, label: str) -> None:
    """Draw the accuracy with its interval.

    Args:
        result: predictions for images that the head was not fitted on.
        label: name of the method.
    """
    low, high = result.interval()
    with st.container(key="teach_accuracy"):
        st.markdown(
            f"**{label}: {result.correct} of {len(result.truth)} correct, {percent(result.accuracy)}**  \n"
            f"95 % interval: {percent(low)} to {percent(high)}"
        )


def confusion(result: CrossValidation) -> None:
    """Draw the confusion matrix as a table, in which correct predictions are bold."""
    names = [html.escape(name) for name in result.classes]
    rows = [
        [names[true], *(f"<b>{count}</b>" if true == predicted else str(count) for predicted, count in enumerate(row))]
        for true, row in enumerate(result.confusion().tolist())
    ]
    table = drawing.table(["true ↓<br>predicted →", *names], rows).replace("vv-table", "vv-table vv-confusion", 1)
    st.html(f'<div data-testid="confusion">{table}</div>')


def notes(sentences: tuple[str, ...]) -> None:
    """Draw notes on what makes the head less trustworthy."""
    with st.container(key="teach_notes"):
        for sentence in sentences:
            st.warning(escape_markdown(sentence))


def least_certain(taught: TaughtSet, features: np.ndarray, result: CrossValidation) -> None:
    """Draw the images of which the head is least certain, each with the nearest image of another class.

    Args:
        taught: the images.
        features: their features, float32 [image, feature].
        result: predictions for them by heads fitted without them, with the names of the classes.
    """
    others = classifier.nearest_other(features, taught.labels)
    figures = []
    for index in result.least_certain()[:UNCERTAIN].tolist():
        image, other = taught.images[index], taught.images[others[index]]
        true, probability = taught.ranks[index], float(result.probabilities[index, taught.ranks[index]])
        near = result.classes[taught.ranks[others[index]]]
        figures.append(
            f'<figure data-image="{image.mark}" data-nearest="{other.mark}" data-probability="{probability:.9f}"><span>'
            f'<img alt="{_quoted(image.picked.name)}" src="{data_url(image.thumbnail)}">'
            f'<img alt="nearest: {_quoted(other.picked.name)}" src="{data_url(other.thumbnail)}"></span>'
            f"{html.escape(result.classes[true])}: {percent(probability)}<br>"
            f"<small>nearest other: {html.escape(near)}</small></figure>"
        )
    st.markdown(
        "**Least certain**  \nProbability of the true class without this image; beside it the nearest image of another "
        "class."
    )
    st.html(f'<div class="vv-unsure" data-testid="least-certain">{"".join(figures)}</div>')


def _quoted(text: str) -> str:
    return html.escape(text, quote=True)
