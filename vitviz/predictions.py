"""What a classifier says of an image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .arguments import array, at_least, checked_index, typed
from .errors import ModelError

if TYPE_CHECKING:
    from .model import VisionTransformer
    from .trace import Trace


@dataclass(frozen=True)
class Prediction:
    """One class and how likely the model takes it to be.

    Attributes:
        index: which output of the model, from 0.
        label: what the class is called; `"class 281"` if nobody knows.
        probability: from 0 to 1; those of all classes sum to 1, unless each class is a question of its own.
    """

    index: int
    label: str
    probability: float


@typed
def predictions(trace: Trace, count: int = 5) -> tuple[Prediction, ...]:
    """The most likely classes, the most likely first.

    That is the softmax of the logits; or the sigmoid of each of them, where every class is a question of its own or
    there is only one.

    Args:
        trace: what a model with classes made of an image.
        count: how many classes to give at most.

    Raises:
        ModelError: if the model has no classes, or its output is not finite.
    """
    likely = probabilities(trace.model, trace.output)
    best = np.argsort(-likely, kind="stable")[: at_least(count, 0, "The number of classes")]
    return tuple(Prediction(int(i), class_name(trace.model, int(i)), float(likely[i])) for i in best)


@typed
def probabilities(model: VisionTransformer, logits: np.ndarray) -> np.ndarray:
    """From what a model returned, float [..., class], to probabilities, float64 of the same shape.

    Raises:
        ModelError: as `predictions`.
    """
    if not model.tells_classes:
        raise ModelError(f"{model.name!r} has no classes to predict; choose a model with a classifier.")
    logits = array(logits, "..., class", "Logits", finite=False).astype(np.float64)
    if not np.isfinite(logits).all():
        raise ModelError(f"{model.name!r} returns numbers that are not finite; check its weights.")
    return _each(logits) if model.meaning == "independent" or logits.shape[-1] == 1 else _one_of_all(logits)


@typed
def class_name(model: VisionTransformer, index: int) -> str:
    """What an output is called; `"class 281"` if nobody knows.

    Raises:
        IndexError: if there is no such output.
    """
    return model.labels[checked_index(index, len(model.labels), "class")] if model.labels else f"class {index}"


def _one_of_all(logits: np.ndarray) -> np.ndarray:
    """Softmax over the last axis."""
    likely = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return likely / likely.sum(axis=-1, keepdims=True)


def _each(logits: np.ndarray) -> np.ndarray:
    """Sigmoid, without overflow."""
    small = np.exp(-np.abs(logits))
    return np.where(logits >= 0, 1, small) / (1 + small)
