"""Report of `vitviz teach`: the head, the estimate of its accuracy, and images to look at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..analysis.classifier import CrossValidation
from ..notation.marks import percent
from ..zoo.heads import LinearHead
from .console import json_line, printable

MOST_IN_TABLE = 10  # classes of a confusion matrix in plain output
LEAST_CERTAIN = 5  # images in plain output
LONGEST_LABEL = 20  # characters of a class name in the table


@dataclass(frozen=True, eq=False)
class Outcome:
    """Head that was fitted, with the estimate of its accuracy.

    Attributes:
        file: file of the head.
        head: the head.
        feature: description of the feature, such as `"the class token"`.
        about: model facts, see `vitviz.viz.provenance.of_model`.
        paths: images that the head was fitted on.
        truth: class of each image.
        nearest: index of the most similar image of another class, for each image.
        result: cross-validation; None if a class has one image only.
        notes: sentences on what makes the head less trustworthy than its accuracy suggests.
    """

    file: Path
    head: LinearHead
    feature: str
    about: Mapping[str, Any]
    paths: Sequence[Path]
    truth: Sequence[str]
    nearest: np.ndarray
    result: CrossValidation | None
    notes: Sequence[str]


def text_lines(outcome: Outcome) -> Iterator[str]:
    """Yield the lines of the plain output."""
    head, result = outcome.head, outcome.result
    yield printable(str(outcome.file))
    classes = ", ".join(f"{label} {count}" for label, count in zip(head.labels, head.counts, strict=True))
    yield printable(f"Head {head.name} on {head.model}: {outcome.feature}; {sum(head.counts)} images, {classes}.")
    if result is not None:
        low, high = result.interval()
        yield (
            f"{_estimate(result)} accuracy: {result.correct} of {len(outcome.paths)} images, "
            f"{percent(result.accuracy)} (95 % interval {percent(low)} to {percent(high)})."
        )
        if len(head.labels) <= MOST_IN_TABLE:
            yield from ("", *_table(result))
        yield from ("", "Least certain, by the probability of the true class:")
        for index in result.least_certain()[:LEAST_CERTAIN]:
            yield printable(_line(outcome, result, index))
    if outcome.notes:
        yield from ("", *map(printable, outcome.notes))


def json_lines(outcome: Outcome) -> Iterator[str]:
    """Yield a line for each image, and a last one on the head."""
    head, result = outcome.head, outcome.result
    for index, path in enumerate(outcome.paths):
        yield json_line(
            {
                "image": str(path),
                "ok": True,
                "class": outcome.truth[index],
                "predicted": None if result is None else result.classes[result.predicted[index]],
                "probability": None if result is None else float(result.probabilities[index, result.truth[index]]),
                "nearest_other": str(outcome.paths[outcome.nearest[index]]),
            }
        )
    measured = result is not None
    yield json_line(
        {
            "file": str(outcome.file),
            "model": head.model,
            "linear_head": head.name,
            **outcome.about,
            "size": head.preprocessing.size,
            "pooling": head.pooling,
            "binary": head.output_kind == "independent",
            "classes": list(head.labels),
            "counts": list(head.counts),
            "correct": head.correct,
            "folds": result.folds if measured else None,
            "accuracy": result.accuracy if measured else None,
            "interval": list(result.interval()) if measured else None,
            "confusion": result.confusion().tolist() if measured else None,
            "notes": list(outcome.notes),
        }
    )


def _estimate(result: CrossValidation) -> str:
    return "Leave-one-out" if result.is_leave_one_out else f"Cross-validated ({result.folds} folds)"


def _table(result: CrossValidation) -> list[str]:
    """Return the confusion matrix as lines of equal columns."""
    names = [_short(label) for label in result.classes]
    rows = [["true \\ predicted", *names]]
    rows += [[name, *map(str, row)] for name, row in zip(names, result.confusion().tolist(), strict=True)]
    first, *widths = (max(map(len, column)) for column in zip(*rows, strict=True))
    cells = [[row[0].ljust(first), *map(str.rjust, row[1:], widths)] for row in rows]
    return ["  ".join(row) for row in cells]


def _line(outcome: Outcome, result: CrossValidation, index: int) -> str:
    probability = percent(float(result.probabilities[index, result.truth[index]]))
    predicted = result.classes[result.predicted[index]]
    return (
        f"{probability} {outcome.truth[index]}, predicted {predicted}: {outcome.paths[index]}; most similar image of "
        f"another class: {outcome.paths[outcome.nearest[index]]}"
    )


def _short(label: str) -> str:
    label = printable(label)
    return label if len(label) <= LONGEST_LABEL else f"{label[: LONGEST_LABEL - 1]}…"
