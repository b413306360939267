"""What is measured of a model's output when something is switched off."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor

from ..arguments import shown, typed
from ..errors import EditError
from ..predictions import class_name

if TYPE_CHECKING:
    from ..model import VisionTransformer
    from ..trace import Trace

Quantity = Literal["logit", "probability"]


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


@typed
def class_score(model: VisionTransformer, index: int, quantity: str = "probability") -> Score:
    """The logit or the probability of a class.

    Raises:
        EditError: if the model has no such class, or there is no such quantity.
    """
    if not model.tells_classes or not 0 <= index < model.config.classes:
        raise EditError(f"{model.name!r} has no class {shown(index)}; it has {model.config.classes or 'none'}.")
    if quantity not in get_args(Quantity):
        raise EditError(f"A class has a {' or a '.join(get_args(Quantity))}, not {shown(quantity)}.")
    name = class_name(model, index)
    if quantity == "logit":
        return Score(f"logit of {name}", lambda outputs: outputs[:, index])
    each = model.meaning == "independent" or model.config.classes == 1
    share = torch.sigmoid if each else lambda outputs: outputs.softmax(dim=-1)
    return Score(f"probability of {name}", lambda outputs: share(outputs)[:, index])


@typed
def distance(trace: Trace) -> Score:
    """How far an output has turned away from that of a trace: 1 - cosine, from 0 to 2."""
    original = torch.tensor(trace.output)[None]
    words = "1 − cosine with the original " + ("output" if trace.config.classes else "feature")
    return Score(words, lambda outputs: 1 - F.cosine_similarity(outputs, original), signed=False)
