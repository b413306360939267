"""What a classifier says of an image."""

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
    if not model.is_classifier:
        raise ModelError(f"{model.name!r} has no classes to predict; choose a model with a classifier.")
    logits = array(logits, "..., class", "Logits", finite=False).astype(np.float64)
    if not np.isfinite(logits).all():
        raise ModelError(f"{model.name!r} returns numbers that are not finite; check its weights.")
    return _each(logits) if model.output_kind == "independent" or logits.shape[-1] == 1 else _one_of_all(logits)


@typed
def class_name(model: VisionTransformer, index: int) -> str:
    """What an output is called; `"class 281"` if nobody knows.

    Raises:
        IndexError: if there is no such output.
    """
    return model.labels[checked_index(index, len(model.labels), "class")] if model.labels else f"class {index}"


@typed
def class_index(model: VisionTransformer, chosen: int | str) -> int:
    """Find a class by its number or its name.

    Args:
        model: a model with classes.
        chosen: the number of an output, negative ones counted from the end; or the name of a class, whatever its case;
            or a number written as text, if no class has this name.

    Returns:
        The number of the class, from 0.

    Raises:
        IndexError: if there is no output of this number.
        ModelError: if the model has no classes, or none of this name (the message gives the nearest), or several.
    """
    if not model.is_classifier:
        raise ModelError(f"{model.name!r} has no classes; compare outputs instead, as vitviz.SimilarityTarget does.")
    count = model.config.num_classes
    if is_whole(chosen):
        return checked_index(chosen, count, "class")
    of_kind(chosen, str, "class")
    named = [index for index, label in enumerate(model.labels) if label.casefold() == chosen.casefold()]
    exactly = [index for index in named if model.labels[index] == chosen]
    if len(exactly or named) > 1:
        numbers = ", ".join(map(str, named[:5])) + (f" and {len(named) - 5} more" if len(named) > 5 else "")
        raise ModelError(f"{len(named)} classes are called {shown(chosen)}; give one's number: {numbers}.")
    if named:
        return (exactly or named)[0]
    if re.fullmatch(r"[0-9]{1,7}", chosen) and int(chosen) < count:
        return int(chosen)
    raise ModelError(
        f"There is no class {shown(chosen)}; give {_nearest(model.labels, chosen)}a number from 0 to {count - 1}."
    )


def _nearest(labels: tuple[str, ...], name: str) -> str:
    """The names that are the most like one, as a part of a sentence."""
    if not labels:
        return ""
    by_case = {label.casefold(): label for label in reversed(labels)}
    found = difflib.get_close_matches(name.casefold()[:LONGEST], by_case, n=3, cutoff=0.5)
    if not found:
        return "a name or "
    return f"a name, such as {', '.join(shown(by_case[label]) for label in found)}, or "


def _one_of_all(logits: np.ndarray) -> np.ndarray:
    """Softmax over the last axis."""
    likely = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return likely / likely.sum(axis=-1, keepdims=True)


def _each(logits: np.ndarray) -> np.ndarray:
    """Sigmoid, without overflow."""
    small = np.exp(-np.abs(logits))
    return np.where(logits >= 0, 1, small) / (1 + small)
