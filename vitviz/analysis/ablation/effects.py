"""Scores: numbers computed from a model's output, whose change under ablation is measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor

from ...errors import EditError
from ...errors.arguments import shown, typed
from ...errors.brief import brief
from ...trace.trace import Trace
from ...trace.vision_transformer import VisionTransformer
from ..attribution.targets import ClassTarget, Target, checked_target
from ..predictions import class_index, class_name

Quantity = Literal["logit", "probability"]


@brief
@dataclass(frozen=True, eq=False)
class Score:
    """Function from a model's output to one number.

    Attributes:
        label: name of the score on screen, such as `"probability of 4"`.
        of: function from outputs [batch, class or D] to scores [batch].
        signed: whether ablation can both raise and lower the score.
    """

    label: str
    of: Callable[[Tensor], Tensor]
    signed: bool = True


ScoreLike = Score | Target | int | str  # a score, a target, a class index or a class name


@typed
def class_score(model: VisionTransformer, index: int | str, quantity: str = "probability") -> Score:
    """Return the score for the logit or the probability of a class.

    Args:
        model: a model with classes.
        index: class index or class name, see `vitviz.analysis.predictions.class_index`.
        quantity: `"probability"` or `"logit"`.

    Raises:
        ModelError: if the model has no classes, or the class name is unknown.
        IndexError: if the class index is out of range.
        EditError: if the quantity is unknown.
    """
    index = class_index(model, index)
    if quantity not in get_args(Quantity):
        raise EditError(f"A class has a {' or a '.join(get_args(Quantity))}, not {shown(quantity)}.")
    name = class_name(model, index)
    if quantity == "logit":
        return Score(f"logit of {name}", lambda outputs: outputs[:, index])
    independent = model.output_kind == "independent" or model.config.num_classes == 1
    probabilities = torch.sigmoid if independent else lambda outputs: outputs.softmax(dim=-1)
    return Score(f"probability of {name}", lambda outputs: probabilities(outputs)[:, index])


def as_score(score: ScoreLike, trace: Trace) -> Score:
    """Convert a class or a target to a score.

    Args:
        score: a score, or a target as in `vitviz.explain`. Classes are scored by their probability, other targets by
            their value.
        trace: trace of the image.

    Raises:
        ModelError: if this is neither a score nor a target, or the model does not have the class or feature.
        IndexError: if the class index is out of range.
    """
    if isinstance(score, Score):
        return score
    target = checked_target(score, trace)
    if isinstance(target, ClassTarget):
        return class_score(trace.model, target.index)
    return Score(target.label, target)


@typed
def distance(trace: Trace) -> Score:
    """Return the score for the distance of an output from that of a trace: 1 - cosine similarity, from 0 to 2."""
    original = torch.tensor(trace.output)[None]
    label = "1 − cosine with the original " + ("output" if trace.config.num_classes else "feature")
    return Score(label, lambda outputs: 1 - F.cosine_similarity(outputs, original), signed=False)
