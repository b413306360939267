"""Result of a comparison before and after fine-tuning: numbers, what changed most, and sentences from the numbers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal, get_args

import numpy as np

from ...errors import ArgumentError
from ...errors.arguments import at_least, one_of
from ...errors.brief import brief
from ...notation.marks import percent
from ..predictions import Prediction
from ..ranking import largest

Quantity = Literal["attention", "tokens", "structure", "weights"]
QUANTITIES: tuple[Quantity, ...] = get_args(Quantity)
ROUNDING = 1e-6  # of similarities


@dataclass(frozen=True)
class Change:
    """Change of one part of the model.

    Attributes:
        layer: layer, from 0.
        head: head, from 0; None for a whole layer.
        value: amount of change, 0 for none; its unit is that of the quantity, see `Comparison.largest`.
    """

    layer: int
    head: int | None
    value: float


@brief
@dataclass(frozen=True, eq=False)
class OutputChange:
    """Change of the output.

    Attributes:
        cosine: cosine similarity of both outputs, from -1 to 1; NaN if one is zero.
        relative_norm: L2 norm of the difference, relative to the output before; NaN if only that is zero.
        before: top-1 class before; None for a model without classes.
        after: top-1 class after.
    """

    cosine: float
    relative_norm: float
    before: Prediction | None
    after: Prediction | None


@brief
@dataclass(frozen=True, eq=False)
class Comparison:
    """Changes from one trace to another trace of the same image.

    Attributes:
        names: names of the two models.
        attention: Jensen-Shannon divergence of each head's attention, averaged over the queries, in bits, float32
            [layer, head], from 0 (equal) to 1; None for differential attention, whose weights may be negative.
        token_cosine: cosine similarity of each token with itself, averaged over the tokens, float32 [layer]. Tokens
            that are equal count as 1, also if they are zero, and as 0 if only one of them is zero.
        token_change: L2 norm of the change of all tokens, relative to the norm before, float32 [layer]: 0 for equal
            tokens only. NaN if only the tokens before are zero.
        token_cka: linear CKA of the patches (see `cka`), float32 [layer]. Unlike the cosine, it does not change if all
            tokens are rotated or shifted together. NaN with fewer than four patches, or for patches that are all equal.
        weights: L2 norm of the change of a layer's parameters, relative to the norm before, float32 [layer]; NaN if
            only those before are zero. None for a trace that was opened without its model.
        output: change of the output; None if the outputs have different lengths, as with another number of classes.
    """

    names: tuple[str, str]
    attention: np.ndarray | None
    token_cosine: np.ndarray
    token_change: np.ndarray
    token_cka: np.ndarray
    weights: np.ndarray | None
    output: OutputChange | None

    @cached_property
    def quantities(self) -> dict[Quantity, np.ndarray]:
        """Amounts of change that are known, by quantity: [layer, head] for attention, otherwise [layer]."""
        amounts = {
            "attention": self.attention,
            "tokens": 1 - self.token_cosine,
            "structure": 1 - self.token_cka,
            "weights": self.weights,
        }
        return {name: values for name, values in amounts.items() if values is not None}

    def largest(self, quantity: Quantity, count: int | None = None) -> tuple[Change, ...]:
        """Return the parts of the model that changed most, in decreasing order.

        Args:
            quantity: `"attention"`: Jensen-Shannon divergence of heads in bits; `"tokens"`: 1 - cosine similarity of a
                layer's tokens; `"structure"`: 1 - CKA of a layer's patches; `"weights"`: relative norm of the change of
                a layer's parameters.
            count: maximum number of parts; None for all.

        Raises:
            ArgumentError: if the quantity is unknown or is not known for these traces.
        """
        one_of(quantity, QUANTITIES, "quantity")
        if quantity not in self.quantities:
            raise ArgumentError(f"The change of {quantity} is not known here; use {' or '.join(self.quantities)}.")
        values = self.quantities[quantity]
        if count is not None:
            at_least(count, 0, "The number of parts")
        return tuple(
            Change(place[0], place[1] if len(place) > 1 else None, float(values[place]))
            for place in largest(values, count)
        )

    def sentences(self) -> tuple[str, ...]:
        """Return sentences that sum up the comparison; layers and heads count from 1 in them, as in the app."""
        lines = [_attention(self), _tokens(self), _weights(self), self.output and _output(self.output)]
        return tuple(line for line in lines if line)


def _attention(found: Comparison) -> str:
    if found.attention is None:
        return ""
    if not found.attention.any():
        return "The attention of all heads is equal in both models."
    top = found.largest("attention", 1)[0]
    return (
        f"Head {top.head + 1} of layer {top.layer + 1} changed its attention most, by a Jensen-Shannon divergence of "
        f"{_small(top.value)} bits (0 for equal attention, 1 for no token in common); the median of all heads is "
        f"{_small(float(np.median(found.attention)))} bits."
    )


def _tokens(found: Comparison) -> str:
    if not found.token_change.any():
        return "The tokens are equal after all layers."
    if (found.token_cosine > 1 - ROUNDING).all():
        most = int(np.nanargmax(found.token_change))
        return (
            f"The tokens changed most after layer {most + 1}, by {percent(float(found.token_change[most]))} of their "
            "norm, and keep their directions up to rounding."
        )
    top = found.largest("tokens", 1)[0]
    cka = float(found.token_cka[top.layer])
    structure = f", and the linear CKA of their patches is {near_one(cka)}" if np.isfinite(cka) else ""
    last = f" After the last layer, the cosine similarity is {near_one(float(found.token_cosine[-1]))}."
    return (
        f"The tokens changed most after layer {top.layer + 1}, where their mean cosine similarity before and after is "
        f"{near_one(1 - top.value)}{structure}."
    ) + last * (top.layer + 1 < len(found.token_cosine))


def _weights(found: Comparison) -> str:
    if found.weights is None:
        return ""
    changed = int((found.weights != 0).sum())
    if not changed:
        return "The weights of all layers are equal in both models."
    known = [one for one in found.largest("weights") if np.isfinite(one.value)]
    if not known or not known[0].value:
        return "The weights of the changed layers were all zero before."
    top, least, layers = known[0], known[-1], len(found.weights)
    most = f"The weights changed most in layer {top.layer + 1}, by {percent(top.value)} of their norm"
    if changed < layers:
        unchanged = layers - changed
        return f"{most}; those of {'1 layer is' if unchanged == 1 else f'{unchanged} layers are'} equal in both models."
    if len(known) < layers:
        return f"{most}; those of some layers were all zero before."
    return f"{most}, and least in layer {least.layer + 1}, by {percent(least.value)}."


def _small(value: float) -> str:
    return f"{value:.3f}" if value >= 0.0005 or not value else "less than 0.001"


def near_one(value: float) -> str:
    """Format a similarity with more digits if it would round to 1 without being 1, up to rounding errors."""
    return f"{value:.{6 if 0.9995 <= value < 1 - ROUNDING else 3}f}"


def _output(output: OutputChange) -> str:
    if output.before is None or output.after is None:
        known = np.isfinite(output.cosine)
        return f"The cosine similarity of both outputs is {near_one(output.cosine)}." if known else ""
    before, after = output.before, output.after
    if before.index == after.index:
        return (
            f"The top-1 class is {before.label} in both models, with {percent(before.probability)} before and "
            f"{percent(after.probability)} after."
        )
    return (
        f"The top-1 class changed from {before.label} ({percent(before.probability)}) to {after.label} "
        f"({percent(after.probability)})."
    )
