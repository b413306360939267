"""What a classifier says of an image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .errors import ModelError
from .trace import Trace


@dataclass(frozen=True)
class Prediction:
    """One class and how likely the model takes it to be.

    Attributes:
        index: which output of the model, from 0.
        label: what the class is called; `"class 281"` if nobody knows.
        probability: from 0 to 1; those of all classes sum to 1.
    """

    index: int
    label: str
    probability: float


def predictions(trace: Trace, count: int = 5) -> tuple[Prediction, ...]:
    """The most likely classes, the most likely first: the softmax of the logits.

    Args:
        trace: what a model with classes made of an image.
        count: how many classes to give at most.

    Raises:
        ModelError: if the model has no classes.
    """
    model = trace.model
    if not model.tells_classes:
        raise ModelError(f"{model.name!r} has no classes to predict; choose a model with a classifier.")
    logits = trace.output.astype(np.float64)
    likely = np.exp(logits - logits.max())
    likely /= likely.sum()
    best = np.argsort(-likely, kind="stable")[:count]
    return tuple(Prediction(int(i), model.labels[i] if model.labels else f"class {i}", float(likely[i])) for i in best)
