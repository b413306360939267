"""Class predictions and class lookup by name or index."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass

import numpy as np

from ..errors import ModelError
from ..errors.arguments import LONGEST, array, at_least, checked_index, is_whole, of_kind, shown, typed
from ..trace.trace import Trace
from ..trace.vision_transformer import VisionTransformer


@dataclass(frozen=True)
class Prediction:
    """Predicted probability of one class.

    Attributes:
        index: class index, from 0.
        label: class name; `"class 281"` if the model has no names.
        probability: from 0 to 1; sums to 1 over all classes, unless classes are independent.
    """

    index: int
    label: str
    probability: float


@typed
def predictions(trace: Trace, count: int = 5) -> tuple[Prediction, ...]:
    """Return the top classes, the most probable first.

    Probabilities are the softmax of the logits, or their sigmoid if classes are independent or there is only one.

    Args:
        trace: trace by a model with classes.
        count: maximum number of classes.

    Raises:
        ModelError: if the model has no classes, or its output is not finite.
    """
    likely = probabilities(trace.model, trace.output)
    best = np.argsort(-likely, kind="stable")[: at_least(count, 0, "The number of classes")]
    return tuple(Prediction(int(i), class_name(trace.model, int(i)), float(likely[i])) for i in best)


@typed
def probabilities(model: VisionTransformer, logits: np.ndarray) -> np.ndarray:
    """Convert logits, float [..., class], to probabilities, float64 of the same shape.

    Raises:
        ModelError: as `predictions`.
    """
    if not model.is_classifier:
        raise ModelError(f"{model.name!r} has no classes to predict; choose a model with a classifier.")
    logits = array(logits, "..., class", "Logits", finite=False).astype(np.float64)
    if not np.isfinite(logits).all():
        raise ModelError(f"{model.name!r} returns numbers that are not finite; check its weights.")
    return _sigmoid(logits) if model.output_kind == "independent" or logits.shape[-1] == 1 else _softmax(logits)


@typed
def class_name(model: VisionTransformer, index: int) -> str:
    """Return the name of a class; `"class 281"` if the model has no names.

    Raises:
        IndexError: if the index is out of range.
    """
    return model.labels[checked_index(index, len(model.labels), "class")] if model.labels else f"class {index}"


@typed
def class_index(model: VisionTransformer, chosen: int | str) -> int:
    """Return the index of a class given by index or name.

    Args:
        model: a model with classes.
        chosen: class index, negative indices counted from the end; or class name, case-insensitive; or an index written
            as text, if no class has this name.

    Returns:
        Class index, from 0.

    Raises:
        IndexError: if the index is out of range.
        ModelError: if the model has no classes, the name is unknown (the message lists similar names) or ambiguous.
    """
    if not model.is_classifier:
        raise ModelError(f"{model.name!r} has no classes; compare outputs with vitviz.SimilarityTarget instead.")
    count = model.config.num_classes
    if is_whole(chosen):
        return checked_index(chosen, count, "class")
    of_kind(chosen, str, "class")
    named = [index for index, label in enumerate(model.labels) if label.casefold() == chosen.casefold()]
    exactly = [index for index in named if model.labels[index] == chosen]
    if len(exactly or named) > 1:
        numbers = ", ".join(map(str, named[:5])) + (f" and {len(named) - 5} more" if len(named) > 5 else "")
        raise ModelError(f"{len(named)} classes are named {shown(chosen)}; give an index: {numbers}.")
    if named:
        return (exactly or named)[0]
    if re.fullmatch(r"[0-9]{1,7}", chosen) and int(chosen) < count:
        return int(chosen)
    raise ModelError(
        f"There is no class {shown(chosen)}; give {_similar(model.labels, chosen)}an index from 0 to {count - 1}."
    )


def _similar(labels: tuple[str, ...], name: str) -> str:
    """Return the names most similar to a given one, as part of a sentence."""
    if not labels:
        return ""
    by_case = {label.casefold(): label for label in reversed(labels)}
    matches = difflib.get_close_matches(name.casefold()[:LONGEST], by_case, n=3, cutoff=0.5)
    if not matches:
        return "a name or "
    return f"a name, such as {', '.join(shown(by_case[label]) for label in matches)}, or "


def _softmax(logits: np.ndarray) -> np.ndarray:
    """Compute the softmax over the last axis."""
    exponentials = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


def _sigmoid(logits: np.ndarray) -> np.ndarray:
    """Compute the sigmoid without overflow."""
    small = np.exp(-np.abs(logits))
    return np.where(logits >= 0, 1, small) / (1 + small)
