"""Measured accuracy of heads by number of images, from the counts that `scripts/taught_heads.py` stores."""

from __future__ import annotations

import json
from functools import cache

from ....notation.marks import join_words, percent
from ....zoo import assets
from .image_features import FeatureSetup
from .settings import BINARY

COUNTS = (3, 10, 30)  # images per class that are quoted
SETS = {"crops": "other halves of six photographs", "digits": "handwritten digits"}


@cache
def stored() -> dict:
    """Return the stored counts; docs/taught-heads.md describes how they were measured."""
    return json.loads((assets() / "models" / "taught-heads.json").read_text("utf-8"))


def sentence(setup: FeatureSetup) -> str:
    """Return a sentence on heads of this kind; empty if they were not measured with this model, size and pooling."""
    results = stored()
    if (setup.model, setup.size) != (results["model"], results["size"]):
        return ""
    quoted = [
        f"{join_words(map(percent, found), 'and')} ({name})"
        for key, name in SETS.items()
        if (found := _accuracies(results["sets"][key], setup.pooling, BINARY.get()))
    ]
    if not quoted:
        return ""
    counts = join_words(map(str, COUNTS), "and")
    return f"Accuracy measured on other images with {counts} images per class: {', '.join(quoted)}."


def _accuracies(one: dict, pooling: str, binary: bool) -> list[float]:
    """Return the mean accuracy over all draws for each number of images in `COUNTS`."""
    rows = {
        row["images"]: row["correct"] for row in one["rows"] if (row["pooling"], row["binary"]) == (pooling, binary)
    }
    tests = sum(one["test"])
    return [sum(map(sum, rows[count])) / (len(rows[count]) * tests) for count in COUNTS if count in rows]
