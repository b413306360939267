"""What is measured of a model's output when something is switched off."""

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
    """One number for each output of a model.

    Attributes:
        words: what it is, such as `"probability of 4"`.
        of: from outputs [batch, class or D] to numbers [batch].
        signed: whether switching something off can raise as well as lower it.
    """

    words: str
    of: Callable[[Tensor], Tensor]
    signed: bool = True


Measured = Score | Target | int | str  # what a sweep can measure


@typed
def class_score(model: VisionTransformer, index: int | str, quantity: str = "probability") -> Score:
    """The logit or the probability of a class.

    Args:
        model: a model with classes.
        index: the number or the name of a class, as `vitviz.analysis.predictions.class_index` takes it.
        quantity: `"probability"` or `"logit"`.

    Raises:
        ModelError: if the model has no classes, or none of this name.
        IndexError: if it has no class of this number.
        EditError: if there is no such quantity.
    """
    index = class_index(model, index)
    if quantity not in get_args(Quantity):
        raise EditError(f"A class has a {' or a '.join(get_args(Quantity))}, not {shown(quantity)}.")
    name = class_name(model, index)
    if quantity == "logit":
        return Score(f"logit of {name}", lambda outputs: outputs[:, index])
    each = model.output_kind == "independent" or model.config.num_classes == 1
    share = torch.sigmoid if each else lambda outputs: outputs.softmax(dim=-1)
    return Score(f"probability of {name}", lambda outputs: share(outputs)[:, index])


def measured(score: Measured, trace: Trace) -> Score:
    """The score that is meant by a class or a target.

    Args:
        score: a score; or what `vitviz.explain` takes as a target. Of a class that is its probability, of other targets
            what they are.
        trace: of the model that is asked.

    Raises:
        ModelError: if it is none of these, or the model does not have this class or feature.
        IndexError: if the model has no class of this number.
    """
    if isinstance(score, Score):
        return score
    target = checked_target(score, trace)
    if isinstance(target, ClassTarget):
        return class_score(trace.model, target.index)
    return Score(target.words, target)


@typed
def distance(trace: Trace) -> Score:
    """How far an output has turned away from that of a trace: 1 - cosine, from 0 to 2."""
    original = torch.tensor(trace.output)[None]
    words = "1 − cosine with the original " + ("output" if trace.config.num_classes else "feature")
    return Score(words, lambda outputs: 1 - F.cosine_similarity(outputs, original), signed=False)
