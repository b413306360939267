"""Measurements on the steps of a block that answer why each of them is there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...analysis.arithmetic import softmax, unit
from ...errors import ArgumentError
from ...errors.arguments import array, typed
from ...errors.brief import brief
from .attention import HeadSteps
from .mlp import MlpSteps


@typed
def entropy(weights: np.ndarray) -> np.ndarray | float:
    """Compute the entropy of weights [..., key], in bits; they are divided by their sum first.

    Raises:
        ArgumentError: if there are no weights, or some are negative.
    """
    weights = array(weights, "..., key", "Weights").astype(np.float64)
    if (weights < 0).any():
        raise ArgumentError("Negative weights have no entropy; give absolute values.")
    shares = weights / np.maximum(weights.sum(axis=-1, keepdims=True), np.finfo(np.float64).tiny)
    logs = np.log2(shares, out=np.zeros_like(shares), where=shares > 0)
    return -(shares * logs).sum(axis=-1)


@brief
@dataclass(frozen=True)
class Spread:
    """Distribution of the scores of one query, and of the weights that softmax makes of them.

    Attributes:
        std: standard deviation of the scores over the keys.
        entropy: entropy of the weights, bits.
        largest: largest weight.
    """

    std: float
    entropy: float
    largest: float

    @classmethod
    def of(cls, scores: np.ndarray) -> Spread:
        """Measure scores, [key]."""
        weights = softmax(scores).weights
        return cls(float(np.std(scores)), float(entropy(weights)), float(weights.max()))


@typed
def with_and_without_scale(steps: HeadSteps, half: int = 0) -> tuple[Spread, Spread]:
    """Measure the scores of a query as they are, and as they would be without the division by sqrt(d).

    A relative position bias is added after the division and stays the same.

    Args:
        steps: steps of the head.
        half: half of the channels in differential attention, 0 or 1.
    """
    scores = np.atleast_2d(steps.scores)[half]
    bias = 0.0 if steps.bias is None else steps.bias
    return Spread.of(scores), Spread.of((scores - bias) / steps.scale + bias)


@typed
def head_overlaps(weights: np.ndarray) -> np.ndarray:
    """Compute the overlap of the weights of all pairs of heads: the sum over the keys of the smaller of the two.

    Args:
        weights: weights of one query, [head, key]; absolute values, relative to their sum, are compared.

    Returns:
        float64 [head, head]: 1 for equal weights, 0 if the heads attend to different keys.
    """
    rows = np.abs(array(weights, "head, key", "Weights").astype(np.float64))
    rows = rows / np.maximum(rows.sum(axis=-1, keepdims=True), np.finfo(np.float64).tiny)
    return np.array([np.minimum(row, rows).sum(axis=-1) for row in rows])


@brief
@dataclass(frozen=True, eq=False)
class Update:
    """Size of an update to the residual stream.

    Attributes:
        ratio: L2 norm of the update, relative to that of the token before, [...].
        cosine: cosine between the token before and after, [...].
    """

    ratio: np.ndarray | float
    cosine: np.ndarray | float


@typed
def update_of(before: np.ndarray, added: np.ndarray) -> Update:
    """Compare an update with the tokens that it is added to, both [..., channel]."""
    before, added = (array(one, "..., channel", "Tokens", finite=False).astype(np.float64) for one in (before, added))
    norms = np.maximum(np.linalg.norm(before, axis=-1), np.finfo(np.float64).tiny)
    cosine = (unit(before) * unit(before + added)).sum(axis=-1)
    return Update(np.linalg.norm(added, axis=-1) / norms, cosine)


@brief
@dataclass(frozen=True)
class Collapse:
    """First number of the output of an MLP whose activation function is left out.

    Attributes:
        two_maps: result of both linear maps, one after the other.
        one_map: result of a single linear map, the product of the two.
        activated: result of the model, with its activation function.
    """

    two_maps: float
    one_map: float
    activated: float


@typed
def without_activation(mlp: MlpSteps) -> Collapse | None:
    """Compute the first output of an MLP without its activation; None if a gate or a norm is between its two maps."""
    if mlp.gate is not None or mlp.hidden_norm is not None:
        return None
    last = mlp.down.weight[:, 0].astype(np.float64)
    first_map, shift = mlp.up.weight.astype(np.float64) @ last, float(mlp.up.bias @ last + mlp.down.bias[0])
    return Collapse(
        two_maps=float(mlp.down(mlp.pre_activation)[0]),
        one_map=float(np.asarray(mlp.entered, np.float64) @ first_map) + shift,
        activated=float(mlp.result[0]),
    )
